import { Hono } from 'hono'
import { expect, test } from 'vitest'
import type { AppEnv } from '../app.ts'
import { readConfig } from '../config.ts'
import { adminKey, pushKey, secretKey, siteKey } from './keys.ts'

const config = readConfig({
  ATTUNE_SITES: '[{"id":"shop","keys":["pk_of_shop_old","pk_of_shop_new"]}]',
  ATTUNE_PUSH_KEYS: 'push_key_that_is_old,push_key_that_is_new',
  ATTUNE_ADMIN_KEYS: 'admin_key_that_is_old,admin_key_that_is_new',
  ATTUNE_VISITOR_SECRETS: 'a secret of 16 characters or more',
  ATTUNE_VERIFY_KEYS: '[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]',
  COSMOS_ENDPOINTS: 'https://a.documents.azure.com',
  COSMOS_KEY: 'c2VjcmV0',
})
const app = new Hono<AppEnv>()
app.onError((error, c) => c.text((error as { code?: string }).code ?? String(error), 400))
app.get('/site', siteKey(config), (c) => c.text(c.var.site.id))
app.get('/push', pushKey(config), (c) => c.text('push'))
app.get('/admin', adminKey(config), (c) => c.text('admin'))
app.get('/both', secretKey(config, ['push', 'admin']), (c) => c.text('both'))

async function get(path: string, key?: string): Promise<string> {
  const headers = key === undefined ? {} : { authorization: `Bearer ${key}`, 'x-attune-key': key }
  return (await app.request(path, { headers })).text()
}

test('the old and the new key of each kind are valid at once', async () => {
  for (const age of ['old', 'new']) {
    expect(await get('/site', `pk_of_shop_${age}`)).toBe('shop')
    expect(await get('/push', `push_key_that_is_${age}`)).toBe('push')
    expect(await get('/admin', `admin_key_that_is_${age}`)).toBe('admin')
    expect(await get('/both', `push_key_that_is_${age}`)).toBe('both')
    expect(await get('/both', `admin_key_that_is_${age}`)).toBe('both')
  }
})

test('a key of another kind is KEY_FORBIDDEN, a stranger KEY_UNKNOWN, none KEY_MISSING', async () => {
  for (const path of ['/push', '/admin', '/both']) {
    expect(await get(path, 'pk_of_shop_old')).toBe('KEY_FORBIDDEN')
    expect(await get(path, 'admin_key_that_is_ol')).toBe('KEY_UNKNOWN')
    expect(await get(path)).toBe('KEY_MISSING')
  }
  expect(await get('/push', 'admin_key_that_is_old')).toBe('KEY_FORBIDDEN')
  expect(await get('/admin', 'push_key_that_is_old')).toBe('KEY_FORBIDDEN')
  expect(await get('/site', 'admin_key_that_is_old')).toBe('KEY_UNKNOWN')
})

test('a secret key is taken as a bearer token only: addresses and headers of pages end up in logs', async () => {
  const inHeader = await app.request('/admin', { headers: { 'x-attune-key': 'admin_key_that_is_old' } })
  expect(await inHeader.text()).toBe('KEY_UNKNOWN')
  expect(await (await app.request('/admin?key=admin_key_that_is_old')).text()).toBe('KEY_UNKNOWN')
})
