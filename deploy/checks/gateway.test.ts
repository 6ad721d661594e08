import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createApp, readConfig, type AppDeps } from '@attune/edge'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { checkPolicy, parsePolicies, type PolicyDocument } from './policies.ts'
import { python } from './python.ts'

const DEPLOY = join(import.meta.dirname, '..')
const interpreter = await python()
const policy = await readFile(join(DEPLOY, 'azure', 'policies', 'edge.xml'), 'utf8')

const mistakes: readonly (readonly [what: string, from: string, to: string, found: string])[] = [
  ['an element left open', '</outbound>', '', 'not well-formed'],
  [
    'a policy that is not allowed',
    '<base />\n    <rate',
    '<send-request />\n    <rate',
    'send-request: not in the list',
  ],
  [
    'a policy in the wrong section',
    '<base />\n  </outbound>',
    '<set-backend-service backend-id="x" />\n  </outbound>',
    'set-backend-service: not allowed in outbound',
  ],
  ['a limit without its period', 'renewal-period="60"', '', 'renewal-period is missing'],
  ['an attribute that is not one', 'timeout="15"', 'time-out="15"', 'time-out is not an attribute of it'],
  [
    'an expression that does not close',
    '@(context.Request.IpAddress)',
    '@(context.Request.IpAddress',
    'counter-key does not close',
  ],
  ['a section left out', '<on-error>\n    <base />\n  </on-error>', '', 'expected the sections'],
]
const planted = mistakes.map(([, from, to], index) => [`${index}`, policy.replace(from, to)])
const documents: Readonly<Record<string, PolicyDocument>> =
  interpreter === undefined
    ? {}
    : await parsePolicies(interpreter, { policy, ...Object.fromEntries(planted) })

describe.skipIf(interpreter === undefined)('API Management policy (skipped: needs Python with venv)', () => {
  test('is well-formed and uses only what is allowed', () => {
    expect(checkPolicy(documents['policy'] ?? { error: 'not parsed' })).toEqual([])
  })

  test.for(mistakes.map((mistake, index) => [...mistake, index] as const))(
    '%s is found',
    ([, from, , found, index]) => {
      expect(policy).toContain(from)
      const problems = checkPolicy(documents[`${index}`] ?? { error: 'not parsed' })
      expect(problems.join('\n')).toContain(found)
    },
  )
})

test('the gateway offers the routes that pages call, and no other', async () => {
  const text = await readFile(join(DEPLOY, 'azure', 'operations.json'), 'utf8')
  const operations = JSON.parse(text) as { name: string; title: string; path: string }[]
  // The routes of the edge itself. Nothing of what they would need is touched until a request comes.
  const app = createApp({ config: edgeConfig() } as AppDeps)
  const pages = app.routes
    .filter(
      ({ method, path }) => method === 'POST' && path.startsWith('/v1/') && !path.startsWith('/v1/models'),
    )
    .map(({ path }) => path.slice('/v1'.length))
  expect(operations.map(({ path }) => path).sort()).toEqual([...new Set(pages)].sort())
  expect(new Set(operations.map(({ name }) => name)).size).toBe(operations.length)
})

test('azure.yaml names a module that exists', async () => {
  const { name, infra } = parse(await readFile(join(DEPLOY, 'azure.yaml'), 'utf8')) as {
    name: string
    infra: Record<'provider' | 'path' | 'module', string>
  }
  // The pattern of azd's own schema, schemas/v1.0/azure.yaml.json
  expect(name).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/)
  expect(infra.provider).toBe('bicep')
  await expect(readFile(join(DEPLOY, infra.path, `${infra.module}.bicep`), 'utf8')).resolves.toContain(
    'targetScope',
  )
  await expect(
    readFile(join(DEPLOY, infra.path, `${infra.module}.parameters.json`), 'utf8'),
  ).resolves.toContain('parameters')
})

function edgeConfig(): ReturnType<typeof readConfig> {
  return readConfig({
    ATTUNE_SITES: '[{"id":"shop","keys":["pk_shop_1"]}]',
    ATTUNE_PUSH_KEYS: 'k'.repeat(16),
    ATTUNE_VISITOR_SECRETS: 's'.repeat(16),
    ATTUNE_VERIFY_KEYS: '[{"kty":"OKP","crv":"Ed25519","x":"AA"}]',
    COSMOS_ENDPOINTS: 'http://127.0.0.1:1',
    COSMOS_KEY: 'AAAA',
  })
}
