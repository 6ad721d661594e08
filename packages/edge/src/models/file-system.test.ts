import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { FileSystemModelStore } from './file-system.ts'
import { describeModelStore } from './store.contract.ts'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attune-store-'))
})

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

describeModelStore((name) => Promise.resolve(new FileSystemModelStore(join(folder, name))))

test('two stores on one folder agree on who appended first', async () => {
  const [a, b] = [
    new FileSystemModelStore(join(folder, 'shared')),
    new FileSystemModelStore(join(folder, 'shared')),
  ]
  await a.activate(1, '2026-01-01T00:00:00.000Z')
  const results = await Promise.all([
    a.appendDelta(1, 1, Uint8Array.of(1)),
    b.appendDelta(1, 1, Uint8Array.of(2)),
  ])
  expect(results.toSorted()).toEqual(['exists', 'stored'])
})

test('the lock of a killed process is taken over after 10 s', async () => {
  const path = join(folder, 'killed')
  const store = new FileSystemModelStore(path)
  await store.activate(1, '2026-01-01T00:00:00.000Z')
  await writeFile(join(path, 'lock'), '')
  const past = new Date(Date.now() - 11_000)
  await utimes(join(path, 'lock'), past, past)
  expect(await store.appendDelta(1, 1, Uint8Array.of(1))).toBe('stored')
})
