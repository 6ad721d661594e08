import { generateKeyPairSync, sign } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startCosmosLocal, type CosmosLocal } from '@attune/cosmos-local'
import { DATABASE, EVENTS_CONTAINER, LEASES_CONTAINER } from '@attune/core'
import { http, HttpResponse, passthrough } from 'msw'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { provision } from './provision.ts'
import { createCosmosFetch } from './request.ts'
import { workloadIdentity } from './workload-identity.ts'

const TENANT = '11111111-2222-3333-4444-555555555555'
const AUTHORITY = 'https://login.microsoftonline.com'
const key = generateKeyPairSync('rsa', { modulusLength: 2048 })

/** Entra ID's token endpoint, as far as its protocol goes; everything else goes on to the network. */
const asked: URLSearchParams[] = []
let entraDown = false
const entra = setupServer(
  http.all('http://127.0.0.1:*', () => passthrough()),
  http.all('http://127.0.0.1:*/*', () => passthrough()),
  http.get(`${AUTHORITY}/common/discovery/instance`, () =>
    HttpResponse.json({
      tenant_discovery_endpoint: `${AUTHORITY}/${TENANT}/v2.0/.well-known/openid-configuration`,
      metadata: [],
    }),
  ),
  http.get(`${AUTHORITY}/${TENANT}/v2.0/.well-known/openid-configuration`, () =>
    HttpResponse.json({
      issuer: `${AUTHORITY}/${TENANT}/v2.0`,
      authorization_endpoint: `${AUTHORITY}/${TENANT}/oauth2/v2.0/authorize`,
      token_endpoint: `${AUTHORITY}/${TENANT}/oauth2/v2.0/token`,
      jwks_uri: `${AUTHORITY}/${TENANT}/discovery/v2.0/keys`,
    }),
  ),
  http.post(`${AUTHORITY}/${TENANT}/oauth2/v2.0/token`, async ({ request }) => {
    if (entraDown) return HttpResponse.json({ error: 'temporarily_unavailable' }, { status: 503 })
    asked.push(new URLSearchParams(await request.text()))
    return HttpResponse.json({ token_type: 'Bearer', expires_in: 3_600, access_token: token() })
  }),
)

function token(): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const exp = Math.floor(Date.now() / 1_000) + 3_600
  const text = `${part({ alg: 'RS256' })}.${part({ aud: 'https://cosmos.azure.com', oid: 'edge', exp, n: asked.length })}`
  return `${text}.${sign('RSA-SHA256', Buffer.from(text), key.privateKey).toString('base64url')}`
}

let cosmos: CosmosLocal
let folder: string
beforeAll(async () => {
  entra.listen()
  folder = await mkdtemp(join(tmpdir(), 'attune-identity-'))
  await writeFile(join(folder, 'token'), 'the-cluster-says-who-this-pod-is')
  vi.stubEnv('AZURE_TENANT_ID', TENANT)
  vi.stubEnv('AZURE_CLIENT_ID', '99999999-8888-7777-6666-555555555555')
  vi.stubEnv('AZURE_FEDERATED_TOKEN_FILE', join(folder, 'token'))
  cosmos = await startCosmosLocal({
    port: 0,
    entra: {
      keys: [key.publicKey.export({ type: 'spki', format: 'pem' }).toString()],
      principals: { edge: { writes: [EVENTS_CONTAINER.id] } },
    },
  })
  const config = { endpoints: [cosmos.endpoint], key: cosmos.key, database: DATABASE }
  await provision(config, { fetch, now: Date.now })
})
afterEach(() => {
  vi.useRealTimers()
  entraDown = false
})
afterAll(async () => {
  entra.close()
  vi.unstubAllEnvs()
  await cosmos.close()
  await rm(folder, { recursive: true, force: true })
})

function create(cosmosFetch: ReturnType<typeof createCosmosFetch>, container: string, id: string) {
  const link = `dbs/${DATABASE}/colls/${container}`
  return cosmosFetch({
    endpoint: cosmos.endpoint,
    verb: 'POST',
    type: 'docs',
    link,
    path: `${link}/docs`,
    partitionKey: 'shop:v',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ id, visitor: 'shop:v' }),
    timeoutMs: 5_000,
  })
}

test('writes go with a token of the pod’s identity, asked for once, renewed before it ends; Entra away is felt only after its end', async () => {
  // Everybody's clock, the identity library's too.
  vi.useFakeTimers({ toFake: ['Date'] })
  const started = Date.now()
  const identity = workloadIdentity({ now: Date.now })
  const cosmosFetch = createCosmosFetch({ credential: { token: identity }, fetch, now: Date.now })
  expect((await create(cosmosFetch, EVENTS_CONTAINER.id, 'a')).status).toBe(201)
  await Promise.all(['b', 'c', 'd'].map((id) => create(cosmosFetch, EVENTS_CONTAINER.id, id)))
  expect(asked).toHaveLength(1)
  const [form] = asked
  expect(form?.get('client_assertion')).toBe('the-cluster-says-who-this-pod-is')
  expect(form?.get('scope')).toContain('https://cosmos.azure.com/.default')
  // Its role has no other container.
  await expect(create(cosmosFetch, LEASES_CONTAINER.id, 'a')).rejects.toMatchObject({
    status: 403,
    substatus: 5302,
  })

  // 56 minutes on, within 5 of the end: Entra is away, and the old token goes on.
  entraDown = true
  const first = await identity()
  vi.setSystemTime(started + 56 * 60_000)
  expect(await identity()).toBe(first)
  expect((await create(cosmosFetch, EVENTS_CONTAINER.id, 'e')).status).toBe(201)
  // Past its end there is none, which is told as Cosmos being away: clients keep their clicks.
  vi.setSystemTime(started + 61 * 60_000)
  await expect(create(cosmosFetch, EVENTS_CONTAINER.id, 'f')).rejects.toMatchObject({
    code: 'COSMOS_UNAVAILABLE',
  })
})
