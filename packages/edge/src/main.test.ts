import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { environmentOf } from './host/options.ts'
import { edgeOptions } from './testing/api.ts'
import { createSigner } from './testing/artifact.ts'

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url))
const ARGS = [
  '--conditions=@attune/source',
  '--disable-warning=ExperimentalWarning',
  '--experimental-strip-types',
  MAIN,
]
let folder: string
let good: Record<string, string>

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attune-main-'))
  const options = edgeOptions({ endpoint: 'http://127.0.0.1:9', key: 'c2VjcmV0' }, await createSigner())
  good = environmentOf(options) as Record<string, string>
})

afterAll(() => rm(folder, { recursive: true, force: true }))

/** The container's own entry, as a process; told to end once it listens. */
async function start(
  settings: Record<string, string>,
): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, ARGS, {
    env: { PATH: process.env['PATH'], HOST: '127.0.0.1', ...settings },
  })
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString()
    if (out.includes('edge listens')) child.kill('SIGTERM')
  })
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, out, err }
}

test('a container with wrong settings ends with 1 and one message of all of them: the app’s, the ports, the folder', async () => {
  await writeFile(join(folder, 'file'), '')
  const { code, out, err } = await start({
    ...good,
    ATTUNE_PUSH_KEYS: 'short-secret',
    ATTUNE_LIMITS: '{"planet":{"perSecond":1,"burst":1}}',
    COSMOS_KEY: '',
    PORT: 'http',
    ATTUNE_METRICS_PORT: '70000',
    ATTUNE_MODELS: join(folder, 'file', 'models'),
  })
  expect([code, out]).toEqual([1, ''])
  const lines = err.trim().split('\n')
  expect(lines[0]).toBe('the edge cannot start, 6 settings are wrong:')
  expect(lines.slice(1).map((line) => /^ {2}([A-Z_.a-z]+): expected /.exec(line)?.[1])).toEqual([
    'ATTUNE_PUSH_KEYS',
    'COSMOS_KEY',
    'ATTUNE_LIMITS.planet',
    'PORT',
    'ATTUNE_METRICS_PORT',
    'ATTUNE_MODELS',
  ])
  expect(err).not.toContain('short-secret')
})

test('with good settings it listens and ends on SIGTERM with 0; settings that nobody reads are named, those of Kubernetes are not', async () => {
  const { code, out } = await start({
    ...good,
    PORT: '0',
    ATTUNE_MODELS: join(folder, 'models'),
    ATTUNE_LIMIT: '{}',
    COSMOS_ENDPOINT: 'x',
    ATTUNE_EDGE_SERVICE_HOST: '10.0.0.1',
    ATTUNE_EDGE_SERVICE_PORT_HTTP: '80',
    ATTUNE_EDGE_PORT: 'tcp://10.0.0.1:80',
    ATTUNE_EDGE_PORT_80_TCP_ADDR: '10.0.0.1',
  })
  expect(code).toBe(0)
  const lines = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(lines[0]).toEqual({
    level: 'warn',
    message: 'settings that nobody reads',
    settings: ['ATTUNE_LIMIT', 'COSMOS_ENDPOINT'],
  })
  expect(lines.map(({ message }) => message)).toContain('edge ends: requests under way finish')
})
