import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { seededRandom } from '@attune/core/testing'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createSigner, parseSigningKey } from '../artifact/sign.ts'
import { cli } from '../testing/cli.ts'
import { startStagedEdge } from '../testing/staged-edge.ts'

let folder: string
const cleanup: (() => Promise<unknown>)[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attune-cli-'))
})
afterEach(async () => {
  for (const action of cleanup.splice(0)) await action()
  await rm(folder, { recursive: true, force: true })
})

/** Visits that walk through neighbouring items, so that there is something to learn. */
async function writeVisits(): Promise<void> {
  const random = seededRandom(1)
  const visits = Array.from({ length: 400 }, () => {
    const start = Math.floor(random() * 60)
    return Array.from({ length: 3 + Math.floor(random() * 5) }, (_, step) => `i${(start + step) % 60}`)
  })
  await writeFile(join(folder, 'train.txt.gz'), gzipSync(visits.map((items) => items.join(' ')).join('\n')))
  const prefixes = visits.slice(0, 50).map((items) => `${items.slice(0, 2).join(' ')}\t${items[2] ?? ''}`)
  await writeFile(join(folder, 'test-prefixes.txt.gz'), gzipSync(prefixes.join('\n')))
}

test('keys, train, evaluate, push, models: from visits to an edge that serves them', async () => {
  await writeVisits()
  const keyFile = join(folder, 'key.json')
  const made = await cli(['keys', 'generate', '--out', keyFile, '--json'])
  expect(made.code).toBe(0)
  expect(made.out).not.toContain('"d"')
  expect((await stat(keyFile)).mode & 0o777).toBe(0o600)
  const { publicJwk } = await createSigner(parseSigningKey(await readFile(keyFile, 'utf8')))
  expect((await cli(['keys', 'public', '--key', keyFile, '--json'])).json()).toMatchObject({
    public: publicJwk,
  })

  const model = join(folder, 'model')
  const trained = await cli([
    'train',
    '--data',
    folder,
    '--out',
    model,
    '--iterations',
    '3',
    '--threads',
    '1',
    '--json',
  ])
  expect(trained.json()).toMatchObject({ epoch: 1, items: 60 })
  const measured = await cli(['evaluate', '--artifact', model, '--data', folder, '--json'])
  expect(measured.json()).toMatchObject({ prefixes: 50, k: 20 })
  // The next of 60 items is always the neighbour of the last one.
  expect(measured.json()['hr']).toBeGreaterThan(0.9)

  const edge = await startStagedEdge(publicJwk)
  cleanup.push(() => edge.close())
  const env = {
    ATTUNE_EDGES: edge.url,
    ATTUNE_PUSH_KEY: edge.pushKey,
    ATTUNE_SIGNING_KEY: await readFile(keyFile, 'utf8'),
  }
  expect((await cli(['push', '--artifact', model], env)).code).toBe(0)
  expect(edge.model?.epoch).toBe(1)
  const again = await cli(['push', '--artifact', model, '--json'], env)
  expect(again.json()).toMatchObject({
    epoch: 2,
    edges: [{ url: edge.url, acknowledged: { epoch: 2, delta: 0 } }],
  })
  expect((await cli(['models', '--json'], env)).json()).toMatchObject({
    edges: [{ serving: { epoch: 2, delta: 0 } }],
  })
}, 60_000)

test('an edge that refuses makes push fail with code 1 and the edge’s own reason', async () => {
  await writeVisits()
  const model = join(folder, 'model')
  await cli(['train', '--data', folder, '--out', model, '--iterations', '1', '--threads', '1', '--json'])
  const key = await cli(['keys', 'generate', '--json'])
  const other = await cli(['keys', 'generate', '--json'])
  const edge = await startStagedEdge(key.json()['public'] as { kty: string })
  cleanup.push(() => edge.close())
  edge.stage = (method) =>
    method === 'PUT' ? { status: 401, code: 'ARTIFACT_SIGNATURE_INVALID' } : undefined
  const env = {
    ATTUNE_EDGES: edge.url,
    ATTUNE_PUSH_KEY: edge.pushKey,
    ATTUNE_SIGNING_KEY: JSON.stringify(other.json()['private']),
  }
  const pushed = await cli(['push', '--artifact', model, '--json'], env)
  expect(pushed.code).toBe(1)
  expect(pushed.json()).toMatchObject({ error: { code: 'PUSH_UNACKNOWLEDGED' } })
  expect(pushed.out).toContain('ARTIFACT_SIGNATURE_INVALID')
}, 60_000)

test('mistakes say what to do: unknown command, unknown option, missing folder, nobody there', async () => {
  const unknown = await cli(['tarin'])
  expect([unknown.code, unknown.err]).toEqual([2, expect.stringContaining('"tarin" is no command')])
  const option = await cli(['train', '--dta', 'x'])
  expect([option.code, option.err]).toEqual([2, expect.stringContaining('usage: attune train')])
  const missing = await cli(['evaluate', '--artifact', join(folder, 'none'), '--data', folder])
  expect([missing.code, missing.err]).toEqual([1, expect.stringContaining('attune train --out')])
  const away = await cli(['models', '--edge', 'http://127.0.0.1:9', '--push-key', 'key', '--json'])
  expect(away.json()).toMatchObject({ error: { code: 'EDGE_UNREACHABLE' } })
  expect((await cli(['--help'])).out).toContain('evaluate')
})
