import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { seededRandom } from '@attune/core/testing'
import { expect, test } from 'vitest'
import { run as bundle } from './bundle.ts'
import { run as freshness } from './freshness.ts'
import { run as replay } from './replay.ts'
import { run as ru } from './ru.ts'

// Small versions of the long benchmarks, so that they cannot rot and their promises are held on every run.

test('25 clicks are each in the very next list of the other edge, and in the factors of both within 2 s (p95)', async () => {
  const result = await freshness(['--clicks', '25'])
  expect(result).toMatchObject({ bench: 'freshness', own_click_next_list: 1 })
  expect(result['event_to_edge_p95_ms']).toBeGreaterThan(0)
  expect(result['event_to_edge_p95_ms']).toBeLessThanOrEqual(2_000)
}, 120_000)

/** Visits that walk a ring of 200 items: the next one is 1 or 2 further, so a model that learnt it is far above chance. */
function ring(random: () => number, visits: number): string {
  const lines = Array.from({ length: visits }, () => {
    let item = Math.floor(random() * 200)
    return Array.from({ length: 4 + Math.floor(random() * 4) }, () => {
      const shown = item
      item = (item + 1 + Math.floor(random() * 2)) % 200
      return shown + 1
    }).join(' ')
  })
  return `${lines.join('\n')}\n`
}

test('a replay over HTTP equals the offline evaluation, and finds the next item of a ring of 200 in 9 of 10', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'attune-ring-'))
  try {
    const random = seededRandom(11)
    await writeFile(join(folder, 'train.txt.gz'), gzipSync(ring(random, 3_000)))
    await writeFile(join(folder, 'test-sessions.txt.gz'), gzipSync(ring(random, 40)))
    const result = await replay(['--data', folder, '--sample', '100'])
    expect(result).toMatchObject({ bench: 'replay', prefixes: 100, epoch: 1 })
    expect(result['hr20']).toBeGreaterThanOrEqual(0.9) // chance: 20 of 200 items, 0.1
    expect(Math.abs(Number(result['hr20']) - Number(result['hr20_offline']))).toBeLessThanOrEqual(0.002)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}, 300_000)

test('by the local meter 1,000 events cost at most 1,500 RU, 1,000 lists 3,500, those from recent events nothing', async () => {
  const result = await ru(['--visitors', '4'])
  expect(result['per_1000_events']).toBeLessThanOrEqual(1_500)
  expect(result['per_1000_events_published']).toBeLessThanOrEqual(1_500)
  expect(result['per_1000_ranks']).toBeLessThanOrEqual(3_500)
  expect(result['per_1000_ranks_recent']).toBe(0)
}, 120_000)

test('the Worker without ONNX Runtime is at most 150 KB gzip; the other one is told with its parts', async () => {
  const result = await bundle([])
  expect(result).toMatchObject({ small_fits: true })
  expect(result['rows']).toMatchObject([{ build: 'full' }, { build: 'small' }])
}, 60_000)

test('npm run bench without a name lists the benchmarks; an unknown one is told so, with exit code 2', async () => {
  const bench = (...args: string[]) =>
    promisify(execFile)(process.execPath, ['--conditions=@attune/source', 'scripts/bench.ts', ...args])
  expect((await bench()).stderr).toContain('freshness')
  await expect(bench('nonsense')).rejects.toMatchObject({
    code: 2,
    stderr: expect.stringContaining('"nonsense"') as string,
  })
})
