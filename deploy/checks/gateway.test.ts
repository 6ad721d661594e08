import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createApp, readConfig, type AppDeps } from '@attune/edge'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { gatewayDocument, gatewayFile } from './gateway-openapi.ts'
import { checkPolicy, parsePolicies, type PolicyDocument } from './policies.ts'
import { python } from './python.ts'

const DEPLOY = join(import.meta.dirname, '..')
const interpreter = await python()
const read = (name: string) => readFile(join(DEPLOY, 'azure', ...name.split('/')), 'utf8')
const quota = await read('policies/quota.xml')
/** As a classic tier gets it; the v2 tiers get it without the quota. */
const policy = (await read('policies/pages.xml')).replace('<!-- quota -->', quota)
const operators = await read('policies/operators.xml')
const module = await read('apim.bicep')
const values = [...module.matchAll(/name: '(attune-[a-z-]+)'\n\s+(?:value:|properties: \{)/g)].map(
  ([, name = '']) => name,
)

const mistakes: readonly (readonly [what: string, from: string, to: string, found: string])[] = [
  ['an element left open', '</outbound>', '', 'not well-formed'],
  [
    'a policy that is not allowed',
    '<base />\n    <set-variable',
    '<send-request />\n    <set-variable',
    'send-request: not in the list',
  ],
  [
    'a policy in the wrong section',
    '</choose>\n  </outbound>',
    '</choose><set-backend-service backend-id="x" />\n  </outbound>',
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
  [
    'a named value that nobody makes',
    '{{attune-daily-quota}}',
    '{{attune-quota}}',
    '{{attune-quota}}: no such named value',
  ],
  ['a header without its value', '<value>Origin</value>', '<value></value>', 'value: text is missing'],
  [
    'a condition outside a choice',
    '<set-backend-service backend-id="attune-edge" />',
    '<when condition="@(true)" />',
    'when: not allowed in inbound',
  ],
  ['a section left out', '<on-error>\n    <base />\n  </on-error>', '', 'expected the sections'],
]
const planted = mistakes.map(([, from, to], index) => [`${index}`, policy.replace(from, to)])
const documents: Readonly<Record<string, PolicyDocument>> =
  interpreter === undefined
    ? {}
    : await parsePolicies(interpreter, { policy, operators, ...Object.fromEntries(planted) })

describe.skipIf(interpreter === undefined)('API Management policy (skipped: needs Python with venv)', () => {
  test('is well-formed and uses only what is allowed', () => {
    expect(values).toContain('attune-admin-key')
    for (const name of ['policy', 'operators'])
      expect(checkPolicy(documents[name] ?? { error: 'not parsed' }, values)).toEqual([])
  })

  test.for(mistakes.map((mistake, index) => [...mistake, index] as const))(
    '%s is found',
    ([, from, , found, index]) => {
      expect(policy).toContain(from)
      const problems = checkPolicy(documents[`${index}`] ?? { error: 'not parsed' }, values)
      expect(problems.join('\n')).toContain(found)
    },
  )
})

test.for(['pages', 'operators'] as const)(
  'what API Management imports for %s is the document of the edge',
  async (audience) => {
    const file = await readFile(gatewayFile(audience), 'utf8')
    expect(JSON.parse(file)).toEqual(gatewayDocument(audience))
    // Its limits: no reference, no recursion, a title, unique ids.
    expect(file).not.toContain('$ref')
    const ids = [...file.matchAll(/"operationId": "(\w+)"/g)].map(([, id = '']) => id)
    expect(new Set(ids).size).toBe(ids.length)
    for (const [, id = ''] of `${policy}${operators}`.matchAll(/Operation\.Id == &quot;(\w+)/g))
      expect(JSON.stringify([gatewayDocument('pages'), gatewayDocument('operators')])).toContain(`"${id}"`)
  },
)

test('pages reach every route that is theirs and none of the trainer’s, operators theirs', () => {
  // The routes of the edge itself. Nothing of what they would need is touched until a request comes.
  const app = createApp({ config: edgeConfig() } as AppDeps)
  const routes = new Set(
    app.routes.filter(({ path }) => path.startsWith('/v1/') && !path.endsWith('*')).map(({ path }) => path),
  )
  const own = (path: string) => path.slice('/v1'.length).replaceAll(/:(\w+)/g, '{$1}')
  const offered = (audience: 'pages' | 'operators') =>
    Object.keys((gatewayDocument(audience) as { paths: object }).paths)
  const both = [...offered('pages'), ...offered('operators')]
  expect(
    [...routes]
      .map(own)
      .filter((path) => !both.includes(path))
      .sort(),
  ).toEqual(['/models/files/{sha256}', '/models/{epoch}', '/models/{epoch}/deltas/{delta}'])
  expect(offered('pages').filter((path) => path.startsWith('/models'))).toEqual([])
})

test('the documents pass the linter', async () => {
  for (const audience of ['pages', 'operators'] as const) {
    const output = await lint(gatewayFile(audience))
    expect(output).toContain('valid')
  }
  const folder = await mkdtemp(join(tmpdir(), 'attune-gateway-'))
  try {
    const planted = join(folder, 'planted.json')
    const text = await readFile(gatewayFile('operators'), 'utf8')
    await writeFile(planted, text.replace('"responses"', '"response"'))
    await expect(lint(planted)).rejects.toThrow(/response/)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
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

/** Redocly's own findings. @throws {Error} with them */
async function lint(file: string): Promise<string> {
  const edge = createRequire(join(DEPLOY, '..', 'packages', 'edge', 'package.json'))
  const run = promisify(execFile)(
    process.execPath,
    [edge.resolve('@redocly/cli/bin/cli.js'), 'lint', file, '--extends=recommended', ...SKIPPED],
    { env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' } },
  )
  try {
    const { stdout, stderr } = await run
    return `${stdout}${stderr}`
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    throw new Error(`${stdout}${stderr}`, { cause: error })
  }
}

/** Keys are the policies' matter here; a server of an example is all that can be named. */
const SKIPPED = ['security-defined', 'no-server-example.com', 'operation-4xx-response', 'info-license'].map(
  (rule) => `--skip-rule=${rule}`,
)
