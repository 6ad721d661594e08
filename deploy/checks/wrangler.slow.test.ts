import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigError, readConfig } from '@attune/edge'
import { parse } from 'jsonc-parser'
import { expect, test } from 'vitest'
import { dryRun, withSmallWorker } from './wrangler.ts'

const EDGE = join(import.meta.dirname, '..', '..', 'packages', 'edge')
const FILE = join(EDGE, 'wrangler.jsonc')
/** Of a Worker on a paid plan, gzip; developers.cloudflare.com/workers/platform/limits */
const LIMIT_KIB = 10 * 1024
/** Of the build without ONNX Runtime. */
const SMALL_LIMIT_KIB = 150
const SMALL_ENTRY = 'src/worker-small.ts'

interface Environment {
  readonly main?: string
  readonly vars?: Readonly<Record<string, unknown>>
  readonly r2_buckets?: readonly { readonly binding: string; readonly bucket_name: string }[]
  readonly ratelimits?: readonly { readonly name: string }[]
  readonly durable_objects?: {
    readonly bindings: readonly { readonly name: string; readonly class_name: string }[]
  }
}

interface Wrangler extends Environment {
  readonly env?: Readonly<Record<string, Environment>>
  readonly migrations?: readonly {
    readonly new_sqlite_classes?: readonly string[]
    readonly new_classes?: readonly string[]
  }[]
}

const text = await readFile(FILE, 'utf8')
const config = parse(text, [], { allowTrailingComma: true }) as Wrangler
const environments: readonly (readonly [label: string, name: string | undefined, Environment])[] = [
  ['top level', undefined, config],
  ...Object.entries(config.env ?? {}).map(([name, own]) => [name, name, own] as const),
]

test.for(environments)(
  'the edge deploys dry, environment %s, below the size limit',
  async ([, name, own]) => {
    const { problems, gzipKiB, output } = await dryRun(FILE, name)
    expect(problems, output).toEqual([])
    expect(gzipKiB).toBeGreaterThan(30)
    expect(gzipKiB).toBeLessThan(own.main === SMALL_ENTRY ? SMALL_LIMIT_KIB : LIMIT_KIB)
  },
)

test('environments leave out no binding and no setting that the top level has', () => {
  expect(Object.keys(config.env ?? {})).toEqual(['staging', 'production', 'small'])
  for (const own of Object.values(config.env ?? {})) expect(shapeOf(own)).toEqual(shapeOf(config))
})

test('environments share no bucket: a model pushed to staging is not served in production', () => {
  const buckets = environments.flatMap(([, , { r2_buckets = [] }]) =>
    r2_buckets.map(({ bucket_name }) => bucket_name),
  )
  expect(new Set(buckets).size).toBe(buckets.length)
})

/** Names of what an environment binds and sets. */
function shapeOf({ vars = {}, r2_buckets = [], durable_objects, ratelimits = [] }: Environment): string[] {
  const objects = durable_objects?.bindings ?? []
  return [
    ...Object.keys(vars),
    ...r2_buckets.map(({ binding }) => binding),
    ...objects.map(({ name, class_name }) => `${name} ${class_name}`),
    ...ratelimits.map(({ name }) => name),
  ].sort()
}

test.for(environments)(
  'bindings and settings are those the Worker reads, environment %s',
  async ([, , environment]) => {
    const entry = await readFile(join(EDGE, environment.main ?? 'src/worker.ts'), 'utf8')
    const declared = await readBindings()
    const bindings = [
      ...(environment.r2_buckets ?? []).map(({ binding }) => binding),
      ...(environment.durable_objects?.bindings ?? []).map(({ name }) => name),
    ]
    expect(bindings).toEqual(expect.arrayContaining(['MODELS', 'MODEL_LOG', 'ACTIVITY']))
    for (const name of bindings) expect(declared).toContain(name)
    // Durable Objects exist only once a migration made their class.
    const made = (config.migrations ?? []).flatMap(({ new_sqlite_classes = [], new_classes = [] }) => [
      ...new_sqlite_classes,
      ...new_classes,
    ])
    for (const { class_name } of environment.durable_objects?.bindings ?? []) {
      expect(made).toContain(class_name)
      expect(entry).toContain(class_name)
    }
  },
)

test('every setting the edge needs is in vars, or named among the secrets at the top of the file', () => {
  const vars = Object.keys(config.vars ?? {})
  const secrets = text.match(/\b(ATTUNE|COSMOS)_[A-Z_]+/g) ?? []
  const needed = neededSettings()
  expect(needed.length).toBeGreaterThan(4)
  expect(needed.filter((name) => ![...vars, ...secrets].includes(name))).toEqual([])
  const asked = new Set<string>()
  const watched = new Proxy(SETTINGS, {
    get(target, name) {
      asked.add(String(name))
      return target[String(name)]
    },
  })
  readConfig(watched)
  expect(vars.filter((name) => !asked.has(name))).toEqual([])
})

test('the secrets that the Deploy button asks for are those named at the top of the file', async () => {
  const example = await readFile(join(EDGE, '.dev.vars.example'), 'utf8')
  const asked = [...example.matchAll(/^([A-Z_]+)=/gm)].map(([, name = '']) => name)
  const head = text.slice(0, text.indexOf('"$schema"'))
  expect(asked).toEqual(head.match(/\b(ATTUNE|COSMOS)_[A-Z_]+/g))
  const set = environments.flatMap(([, , { vars = {} }]) => Object.keys(vars))
  expect(asked.filter((name) => set.includes(name))).toEqual([])
})

/** Names in the Worker's own `interface WorkerEnv`, wherever the edge keeps it. */
async function readBindings(): Promise<string[]> {
  const names = await readdir(join(EDGE, 'src'), { recursive: true })
  const files = names.filter((name) => name.endsWith('worker.ts'))
  const texts = await Promise.all(files.map((name) => readFile(join(EDGE, 'src', name), 'utf8')))
  const body = texts.map((one) => /interface WorkerEnv \{([^}]*)\}/.exec(one)?.[1] ?? '').join('\n')
  return [...body.matchAll(/readonly (\w+)\??:/g)].map(([, name = '']) => name)
}

/** Settings an edge starts with. */
const SETTINGS: Readonly<Record<string, string>> = {
  ATTUNE_SITES: '[{"id":"shop","keys":["pk_shop_1"]}]',
  ATTUNE_PUSH_KEYS: 'p'.repeat(16),
  ATTUNE_VISITOR_SECRETS: 'v'.repeat(16),
  ATTUNE_VERIFY_KEYS: '[{"kty":"OKP","crv":"Ed25519","x":"AA"}]',
  COSMOS_ENDPOINTS: 'https://cosmos.example',
  COSMOS_KEY: 'AAAA',
}

/** What the edge says is missing when it is given nothing. */
function neededSettings(): string[] {
  try {
    readConfig({})
    return []
  } catch (error) {
    const message = error instanceof ConfigError ? error.message : ''
    return [...message.matchAll(/^ {2}([A-Z_]+):/gm)].map(([, name = '']) => name)
  }
}

const SMALL = {
  name: 'small',
  main: 'worker.js',
  compatibility_date: '2026-07-01',
  durable_objects: { bindings: [{ name: 'MODEL_LOG', class_name: 'ModelLog' }] },
  migrations: [{ tag: 'v1', new_sqlite_classes: ['ModelLog'] }],
}

const mistakes: readonly (readonly [
  what: string,
  environment: string | undefined,
  config: object,
  found: string,
])[] = [
  [
    'a Durable Object that the Worker does not export',
    undefined,
    { ...SMALL, durable_objects: { bindings: [{ name: 'MODEL_LOG', class_name: 'ModelLogs' }] } },
    'ModelLogs',
  ],
  ['a setting that wrangler does not know', undefined, { ...SMALL, r2_bucket: [] }, 'WARNING'],
  ['a binding that an environment leaves out', 'staging', { ...SMALL, env: { staging: {} } }, 'WARNING'],
]

test.for(mistakes)('a dry run of %s says so', async ([, environment, small, found]) => {
  const { problems } = await withSmallWorker({ ...small }, (file) => dryRun(file, environment))
  expect(problems.join('\n')).toContain(found)
})
