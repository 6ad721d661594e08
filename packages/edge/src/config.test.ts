import { expect, test } from 'vitest'
import { ConfigError, readConfig } from './config.ts'

const GOOD = {
  ATTUNE_SITES: '[{"id":"shop","keys":["pk_live_1","pk_live_2"],"origins":["https://shop.example"]}]',
  ATTUNE_PUSH_KEYS: 'push_key_of_16_characters',
  ATTUNE_VISITOR_SECRETS: 'a secret of 16 characters or more',
  ATTUNE_VERIFY_KEYS: '[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]',
  COSMOS_ENDPOINTS: 'https://a.documents.azure.com:443/, https://b.documents.azure.com',
  COSMOS_KEY: 'c2VjcmV0',
}

function problemsOf(env: Record<string, unknown>): string[] {
  try {
    readConfig(env)
    return []
  } catch (error) {
    return error instanceof ConfigError ? error.issues.map((issue) => issue.path) : ['another error']
  }
}

test('good settings are read; endpoints lose the default port and the slash at the end', () => {
  const config = readConfig(GOOD)
  expect(config.cosmos).toEqual({
    endpoints: ['https://a.documents.azure.com', 'https://b.documents.azure.com'],
    key: 'c2VjcmV0',
    database: 'attune',
  })
  expect(config.sites).toEqual([
    { id: 'shop', keys: ['pk_live_1', 'pk_live_2'], origins: ['https://shop.example'] },
  ])
  expect(config.diagnostics).toBe(false)
})

test('an empty environment names all six settings in one error', () => {
  expect(problemsOf({}).toSorted()).toEqual(
    [
      'ATTUNE_PUSH_KEYS',
      'ATTUNE_SITES',
      'ATTUNE_VERIFY_KEYS',
      'ATTUNE_VISITOR_SECRETS',
      'COSMOS_ENDPOINTS',
      'COSMOS_KEY',
    ].toSorted(),
  )
})

test('two keys of a kind are valid at once; without admin keys there are none', () => {
  const rotating = {
    ATTUNE_PUSH_KEYS: 'old_push_key_16_c,new_push_key_16_c',
    ATTUNE_ADMIN_KEYS: 'old_admin_key_16_c, new_admin_key_16_c',
  }
  expect(readConfig({ ...GOOD, ...rotating })).toMatchObject({
    pushKeys: ['old_push_key_16_c', 'new_push_key_16_c'],
    adminKeys: ['old_admin_key_16_c', 'new_admin_key_16_c'],
  })
  expect(readConfig(GOOD).adminKeys).toEqual([])
})

test.each([
  [
    'a private verify key',
    { ATTUNE_VERIFY_KEYS: '[{"kty":"OKP","crv":"Ed25519","x":"a","d":"private"}]' },
    'ATTUNE_VERIFY_KEYS[0]',
  ],
  ['a site id with a colon', { ATTUNE_SITES: '[{"id":"a:b","keys":["pk_live_1"]}]' }, 'ATTUNE_SITES[0].id'],
  [
    'one key for two sites',
    { ATTUNE_SITES: '[{"id":"a","keys":["pk_live_1"]},{"id":"b","keys":["pk_live_1"]}]' },
    'ATTUNE_SITES[1].keys',
  ],
  [
    'an origin with a path',
    { ATTUNE_SITES: '[{"id":"a","keys":["pk_live_1"],"origins":["https://a.example/x"]}]' },
    'ATTUNE_SITES[0].origins',
  ],
  [
    'a push key that pages know',
    { ATTUNE_PUSH_KEYS: 'pk_of_16_characters', ATTUNE_SITES: '[{"id":"a","keys":["pk_of_16_characters"]}]' },
    'ATTUNE_PUSH_KEYS',
  ],
  [
    'an admin key that pages know',
    { ATTUNE_ADMIN_KEYS: 'pk_of_16_characters', ATTUNE_SITES: '[{"id":"a","keys":["pk_of_16_characters"]}]' },
    'ATTUNE_ADMIN_KEYS',
  ],
  [
    'an admin key that trainers know',
    { ATTUNE_ADMIN_KEYS: 'push_key_of_16_characters' },
    'ATTUNE_ADMIN_KEYS',
  ],
  [
    'a bad rule',
    { ATTUNE_SLOTS: '{"home":{"maxPer":[{"attr":"brand","k":0}]}}' },
    'ATTUNE_SLOTS.home.maxPer[0].k',
  ],
  ['no day at all', { ATTUNE_USER_RETENTION_DAYS: '0' }, 'ATTUNE_USER_RETENTION_DAYS'],
  ['a short admin key', { ATTUNE_ADMIN_KEYS: 'short' }, 'ATTUNE_ADMIN_KEYS'],
  ['a short secret', { ATTUNE_VISITOR_SECRETS: 'short' }, 'ATTUNE_VISITOR_SECRETS'],
  ['an endpoint that is no URL', { COSMOS_ENDPOINTS: 'localhost' }, 'COSMOS_ENDPOINTS'],
  ['a limit for nobody', { ATTUNE_LIMITS: '{"planet":{"perSecond":1,"burst":1}}' }, 'ATTUNE_LIMITS.planet'],
  [
    'a limit of nothing',
    { ATTUNE_LIMITS: '{"key":{"perSecond":0,"burst":1}}' },
    'ATTUNE_LIMITS.key.perSecond',
  ],
  ['a key that is not base64', { COSMOS_KEY: 'not base64!' }, 'COSMOS_KEY'],
])('%s is refused by name', (_, change, path) => {
  expect(problemsOf({ ...GOOD, ...change })).toContain(path)
})

test('secrets stay out of the message', () => {
  try {
    readConfig({ ...GOOD, ATTUNE_VISITOR_SECRETS: 'tooshort', COSMOS_KEY: 'not base64!' })
    expect.unreachable()
  } catch (error) {
    expect(String(error)).not.toContain('tooshort')
    expect(String(error)).not.toContain('not base64!')
  }
})

test('settings of OpenTelemetry are read; a secret header never appears in a message', () => {
  const { telemetry } = readConfig({
    ...GOOD,
    OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector.example/otlp/',
    OTEL_EXPORTER_OTLP_HEADERS: 'Authorization=Bearer%20a%2Cb, x-team = edge',
    OTEL_TRACES_SAMPLER_ARG: '0.25',
  })
  expect(telemetry).toEqual({
    endpoint: 'https://collector.example/otlp',
    headers: { authorization: 'Bearer a,b', 'x-team': 'edge' },
    service: 'attune-edge',
    ratio: 0.25,
    temporality: undefined,
    intervalMs: 60_000,
  })
  expect(readConfig(GOOD).telemetry).toBeUndefined()
  const wrong = {
    ...GOOD,
    ATTUNE_DECISIONS: '2',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318',
    OTEL_EXPORTER_OTLP_HEADERS: 'only-a-secret',
    OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
    OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE: 'lowmemory',
    OTEL_TRACES_SAMPLER_ARG: '-1',
    OTEL_METRIC_EXPORT_INTERVAL: 'often',
  }
  const added = Object.keys(wrong).filter((name) => !(name in GOOD))
  expect(problemsOf(wrong).toSorted()).toEqual(added.toSorted())
  expect(() => readConfig(wrong)).not.toThrow(/only-a-secret/)
})

test('a workload identity takes the place of the key; both, and any other word, are refused', () => {
  const { COSMOS_KEY, ...rest } = GOOD
  expect(readConfig({ ...rest, COSMOS_IDENTITY: 'workload' }).cosmos).toEqual({
    endpoints: ['https://a.documents.azure.com', 'https://b.documents.azure.com'],
    identity: 'workload',
    database: 'attune',
  })
  expect(problemsOf({ ...rest, COSMOS_KEY, COSMOS_IDENTITY: 'workload' })).toEqual(['COSMOS_KEY'])
  expect(problemsOf({ ...rest, COSMOS_IDENTITY: 'managed' })).toEqual(['COSMOS_IDENTITY'])
})
