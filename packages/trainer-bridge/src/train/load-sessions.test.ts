import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadPrefixes, loadSessions } from './load-sessions.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attune-sessions-'))
  await writeFile(join(folder, 'train.txt.gz'), gzipSync('7 9\n9 9 3\n3 7\n'))
  await writeFile(join(folder, 'test-prefixes.txt.gz'), gzipSync('7 9\t3\n9\t7\n'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

test('three visits become rows in order of first sight', async () => {
  const data = await loadSessions(folder)
  expect(data.ids).toEqual(['7', '9', '3'])
  expect(Array.from(data.offsets)).toEqual([0, 2, 5, 7])
  expect(Array.from(data.rows)).toEqual([0, 1, 1, 1, 2, 2, 0])
})

test('baskets come with the visits, without items that no visit has', async () => {
  expect((await loadSessions(folder)).baskets).toBeUndefined()
  const file = join(folder, 'baskets.txt.gz')
  await writeFile(file, gzipSync('9 3 nobody\n7 nobody\n7 9 3\n'))
  expect((await loadSessions(folder)).baskets).toEqual([
    [1, 2],
    [0, 1, 2],
  ])
  await rm(file)
})

test('a limit keeps the newest visits, ids stay', async () => {
  const data = await loadSessions(folder, 1)
  expect(data.ids).toEqual(['7', '9', '3'])
  expect(Array.from(data.offsets)).toEqual([0, 2])
  expect(Array.from(data.rows)).toEqual([2, 0])
})

test('prefixes and their targets', async () => {
  expect(await loadPrefixes(folder)).toEqual({ histories: [['7', '9'], ['9']], targets: ['3', '7'] })
})

test('a line without a target is refused, a missing file says which', async () => {
  await writeFile(join(folder, 'test-prefixes.txt.gz'), gzipSync('7 9\n'))
  await expect(loadPrefixes(folder)).rejects.toMatchObject({ code: 'TRAIN_DATA_MALFORMED' })
  await expect(loadSessions(join(folder, 'none'))).rejects.toThrow(/train\.txt\.gz/)
})
