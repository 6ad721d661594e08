import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { seededRandom } from '@attune/core/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startNodeEdge } from '../node.ts'
import { Api, edgeOptions } from '../testing/api.ts'
import { buildArtifact, createSigner } from '../testing/artifact.ts'
import { FileSystemModelStore } from './file-system.ts'
import { EPOCHS_KEPT, pruneStore } from './prune.ts'

const DAY_MS = 86_400_000
const AT = '2026-01-01T00:00:00.000Z'
let folder: string
let stores = 0

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attune-prune-'))
})

afterAll(() => rm(folder, { recursive: true, force: true }))

const digest = (name: string): string => name.padEnd(64, '0')
const manifestOf = (...names: string[]): string => {
  const files = Object.fromEntries(names.map((name, at) => [`file${at}`, { sha256: digest(name), bytes: 1 }]))
  // Anything but ASCII, as ids in a manifest may be.
  return `x.${Buffer.from(JSON.stringify({ files, trainer: 'é≈𝛼?>' })).toString('base64url')}.y`
}

/** Epochs 1 … `epochs`, each with a file of its own and one that all of an odd or even number share. */
async function filled(epochs: number): Promise<FileSystemModelStore> {
  const store = new FileSystemModelStore(join(folder, `store-${stores++}`))
  for (const name of ['odd', 'even']) await store.putFile(digest(name), Uint8Array.of(1))
  for (let epoch = 1; epoch <= epochs; epoch++) {
    await store.putFile(digest(`own${epoch}x`), Uint8Array.of(1))
    await store.putManifest(epoch, manifestOf(`own${epoch}x`, epoch % 2 === 0 ? 'even' : 'odd'))
    await store.activate(epoch, AT)
  }
  return store
}

const files = async (store: FileSystemModelStore): Promise<string[]> =>
  (await store.filesBefore(Infinity)).map((name) => name.replace(/0+$/, '')).toSorted()
const own = (...epochs: number[]): string[] =>
  [...epochs.map((epoch) => `own${epoch}x`), 'even', 'odd'].toSorted()
const deps = (store: FileSystemModelStore, later: number) => ({
  store,
  now: () => Date.now() + later,
  log: () => undefined,
})

test('of 14 epochs the newest 10 stay, with their files and those they share', async () => {
  const store = await filled(14)
  await pruneStore(deps(store, 2 * DAY_MS))
  const newest = [5, 6, 7, 8, 9, 10, 11, 12, 13, 14]
  expect(newest).toHaveLength(EPOCHS_KEPT)
  expect([await store.epochs(), await files(store)]).toEqual([newest, own(...newest)])
})

test('the epoch an operator went back to stays, and the one before it', async () => {
  const store = await filled(14)
  await store.point(3, AT)
  await pruneStore(deps(store, 2 * DAY_MS))
  const kept = [2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]
  expect([await store.epochs(), await files(store)]).toEqual([kept, own(...kept)])
})

test('files that came within a day stay: the manifest that names them may be on its way', async () => {
  const store = await filled(12)
  await store.putFile(digest('coming'), Uint8Array.of(1))
  await pruneStore(deps(store, 0.9 * DAY_MS))
  expect(await store.epochs()).toHaveLength(10)
  expect(await files(store)).toHaveLength(2 + 12 + 1)
  await pruneStore(deps(store, 1.1 * DAY_MS))
  expect(await files(store)).toEqual(own(3, 4, 5, 6, 7, 8, 9, 10, 11, 12))
})

test('where a manifest cannot be read no file is deleted, and that is logged', async () => {
  const store = await filled(3)
  await store.putManifest(2, 'not a JWS')
  const before = await files(store)
  const lines: string[] = []
  await pruneStore({
    ...deps(store, 2 * DAY_MS),
    log: (level, message) => lines.push(`${level}: ${message}`),
  })
  expect(await files(store)).toEqual(before)
  expect(lines).toEqual(['warn: old epochs could not be taken out of the store'])
})

test('an edge that takes in its 12th epoch lists ten, serves it, and goes back to the one before', async () => {
  const signer = await createSigner()
  const artifact = await buildArtifact(seededRandom(1), { items: 50, epoch: 1, golden: 1 })
  const options = edgeOptions({ endpoint: 'http://127.0.0.1:9', key: 'c2VjcmV0' }, signer)
  const edge = await startNodeEdge({ ...options, persist: join(folder, 'edge') })
  try {
    const api = new Api(edge.url)
    await api.pushFiles(artifact)
    for (let epoch = 1; epoch <= 12; epoch++)
      expect((await api.pushManifest(signer, { ...artifact.manifest, epoch })).status).toBe(200)
    await expect.poll(async () => (await api.models()).body.epochs).toEqual([3, 4, 5, 6, 7, 8, 9, 10, 11, 12])
    expect((await api.admin('POST', '/v1/models/2/activate')).body.code).toBe('EPOCH_UNKNOWN')
    expect((await api.admin('POST', '/v1/models/rollback')).body).toMatchObject({ epoch: 11 })
    expect((await api.rank({ strategy: 'popular' })).body.epoch).toBe(11)
  } finally {
    await edge.close()
  }
})
