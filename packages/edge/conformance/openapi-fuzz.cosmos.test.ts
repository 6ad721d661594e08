import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startWorkerdEdge } from '../src/host/workerd.ts'
import { startNodeEdge } from '../src/node.ts'
import { ADMIN_KEY, PUSH_KEY, SITE, type Api } from '../src/testing/api.ts'
import { createWorld, type World } from '../src/testing/worlds.ts'
import { schemathesis } from './schemathesis.ts'

// Schemathesis reads the OpenAPI that the edge serves and sends it everything between good and nonsense. No 5xx, no hang,
// and every answer as it is documented: status, content type, schema.

/** Random requests an operation, beside those that walk the edges of its schema: a number, as seconds say nothing on a busy machine. */
const EXAMPLES = 20
/** What these make of 23 operations is about 5,500 requests; far fewer would be another test. */
const LEAST_REQUESTS = 3_000
const TIMEOUT_MS = 400_000
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_schema_conformance',
]
const python = await schemathesis()

const hosts = { node: startNodeEdge, workerd: startWorkerdEdge } as const

describe.skipIf(python === undefined).for(['node', 'workerd'] as const)(
  'on %s (needs Python with venv)',
  (host) => {
    let world: World
    let api: Api
    let folder: string

    beforeAll(async () => {
      world = await createWorld(hosts[host])
      ;[api] = world.apis as [Api]
      folder = await mkdtemp(join(tmpdir(), 'attune-st-'))
      const auth = [
        ['siteKey', 'api_key', SITE.key],
        ['siteKeyHeader', 'api_key', SITE.key],
        ['pushKey', 'bearer', PUSH_KEY],
        ['adminKey', 'bearer', ADMIN_KEY],
      ].map(([scheme, kind, key]) => `[auth.openapi.${scheme}]\n${kind} = "${key}"\n`)
      await writeFile(join(folder, 'schemathesis.toml'), auth.join('\n'))
    })

    afterAll(async () => {
      await world.close()
      await rm(folder, { recursive: true, force: true })
    })

    test(
      `more than ${LEAST_REQUESTS} requests are answered as documented, and the edge lives`,
      { timeout: TIMEOUT_MS },
      async () => {
        const { code, output } = await fuzz(api.url, folder, await api.visitor())
        if (code !== 0) console.error(output.slice(-20_000))
        expect(code).toBe(0)
        expect(Number(/(\d+) generated/.exec(output)?.[1])).toBeGreaterThan(LEAST_REQUESTS)
        // It got behind the door, too: events were stored, a visitor's data exported, rules, catalogue and lists answered.
        const metrics = await fetch(`${api.url}/metrics`, {
          headers: { authorization: `Bearer ${PUSH_KEY}` },
        })
        const text = await metrics.text()
        for (const good of [
          '/v1/events",status="202',
          '/v1/visitors/export",status="200',
          '/v1/slots/:slot",status="200',
          '/v1/items",status="200',
          '/v1/rank",status="200',
        ])
          expect(text).toContain(`route="${good}"`)
        const list = await api.rank({})
        expect([list.status, list.body.items.length]).toEqual([200, 20])
      },
    )
  },
)

function fuzz(url: string, folder: string, visitor: string): Promise<{ code: number; output: string }> {
  const args = [
    '-m',
    'schemathesis.cli',
    '--config-file',
    join(folder, 'schemathesis.toml'),
    'run',
    `${url}/openapi.json`,
    '--checks',
    CHECKS.join(','),
    '--phases',
    'examples,coverage,fuzzing',
    '--max-examples',
    String(EXAMPLES),
    '--request-timeout',
    '10',
    '--seed',
    '1',
    '--no-color',
  ]
  const env = {
    ...process.env,
    NO_COLOR: '1',
    ATTUNE_VISITOR: visitor,
    SCHEMATHESIS_HOOKS: join(import.meta.dirname, 'hooks.py'),
  }
  return new Promise((resolve) => {
    execFile(
      python ?? '',
      args,
      { cwd: folder, timeout: TIMEOUT_MS - 10_000, maxBuffer: 64_000_000, env },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1
        resolve({ code, output: stdout + stderr })
      },
    )
  })
}
