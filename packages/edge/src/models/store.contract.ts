import { expect, test } from 'vitest'
import type { ModelStore } from './store.ts'

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)
const AT = '2026-01-01T00:00:00.000Z'

/**
 * What every ModelStore must do.
 *
 * @param open - a store of its own on each call with a new name; the same one again by its name, as after a restart
 */
export function describeModelStore(open: (name: string) => Promise<ModelStore>): void {
  let stores = 0
  const fresh = async () => {
    const name = `contract-${stores++}`
    return { name, store: await open(name) }
  }

  test('a file comes back by its digest, and only that one', async () => {
    const { store } = await fresh()
    const sha256 = 'a'.repeat(64)
    expect(await store.hasFile(sha256)).toBe(false)
    expect(await store.getFile(sha256)).toBeUndefined()
    await store.putFile(sha256, bytes(1, 2, 3))
    expect(await store.hasFile(sha256)).toBe(true)
    expect([...((await store.getFile(sha256)) ?? [])]).toEqual([1, 2, 3])
    expect(await store.hasFile('b'.repeat(64))).toBe(false)
  })

  test('a fresh store points nowhere; manifests are listed in order of their epochs', async () => {
    const { store } = await fresh()
    expect(await store.pointer()).toBeUndefined()
    for (const epoch of [10, 9, 2]) await store.putManifest(epoch, `jws ${epoch}`)
    expect(await store.epochs()).toEqual([2, 9, 10])
    expect(await store.getManifest(9)).toBe('jws 9')
    expect(await store.getManifest(3)).toBeUndefined()
  })

  test('an epoch is taken away with its deltas, unless it is active', async () => {
    const { name, store } = await fresh()
    for (const epoch of [3, 4]) {
      await store.putManifest(epoch, `jws ${epoch}`)
      await store.activate(epoch, AT)
      await store.appendDelta(epoch, 1, bytes(epoch))
    }
    for (const epoch of [3, 4, 5]) await store.deleteManifest(epoch)
    for (const one of [store, await open(name)]) {
      expect(await one.epochs()).toEqual([4])
      expect([await one.getManifest(3), await one.getManifest(4)]).toEqual([undefined, 'jws 4'])
      expect([await one.deltasAfter(3, 0), (await one.deltasAfter(4, 0)).length]).toEqual([[], 1])
    }
  })

  test('files are found by when they were put, and deleted by digest', async () => {
    const { store } = await fresh()
    expect(await store.filesBefore(Date.now() + 60_000)).toEqual([])
    const digests = ['a', 'b', 'c'].map((one) => one.repeat(64))
    for (const [index, sha256] of digests.entries()) await store.putFile(sha256, bytes(index))
    expect(await store.filesBefore(Date.now() - 60_000)).toEqual([])
    expect((await store.filesBefore(Date.now() + 60_000)).toSorted()).toEqual(digests)
    await store.deleteFiles([digests[0] ?? '', digests[2] ?? '', 'd'.repeat(64)])
    expect(await store.filesBefore(Date.now() + 60_000)).toEqual([digests[1]])
    expect([...((await store.getFile(digests[1] ?? '')) ?? [])]).toEqual([1])
  })

  test('only a greater epoch is activated, and starts with an empty log', async () => {
    const { store } = await fresh()
    expect(await store.activate(3, AT)).toBe(true)
    expect(await store.appendDelta(3, 1, bytes(1))).toBe('stored')
    expect(await store.pointer()).toEqual({ epoch: 3, delta: 1, activated: AT, newest: 3 })
    expect(await store.activate(3, AT)).toBe(false)
    expect(await store.activate(2, AT)).toBe(false)
    expect(await store.activate(4, AT)).toBe(true)
    expect(await store.pointer()).toEqual({ epoch: 4, delta: 0, activated: AT, newest: 4 })
  })

  test('an operator goes back to an epoch with its deltas and forward again; only what is newer than all is activated', async () => {
    const { name, store } = await fresh()
    await store.activate(3, AT)
    for (const delta of [1, 2]) await store.appendDelta(3, delta, bytes(delta))
    await store.activate(4, AT)
    await store.appendDelta(4, 1, bytes(9))
    await store.point(3, '2026-01-02T00:00:00.000Z')
    const back = { epoch: 3, delta: 2, activated: '2026-01-02T00:00:00.000Z', newest: 4 }
    expect(await store.pointer()).toEqual(back)
    expect(await (await open(name)).pointer()).toEqual(back)
    expect((await store.deltasAfter(3, 0)).map((body) => [...body])).toEqual([[1], [2]])
    expect(await store.activate(4, AT)).toBe(false)
    expect(await store.appendDelta(4, 2, bytes(2))).toBe('other-epoch')
    await store.point(4, AT)
    expect(await store.pointer()).toEqual({ epoch: 4, delta: 1, activated: AT, newest: 4 })
    await store.point(3, AT)
    expect(await store.activate(5, AT)).toBe(true)
    expect(await store.pointer()).toEqual({ epoch: 5, delta: 0, activated: AT, newest: 5 })
  })

  test('deltas are kept in order, once, without gaps and only for the active epoch', async () => {
    const { store } = await fresh()
    expect(await store.appendDelta(1, 1, bytes(1))).toBe('other-epoch')
    await store.activate(1, AT)
    expect(await store.appendDelta(1, 2, bytes(2))).toBe('gap')
    expect(await store.appendDelta(1, 1, bytes(1))).toBe('stored')
    expect(await store.appendDelta(1, 1, bytes(9))).toBe('exists')
    for (let delta = 2; delta <= 11; delta++)
      expect(await store.appendDelta(1, delta, bytes(delta))).toBe('stored')
    expect((await store.deltasAfter(1, 0)).map((body) => [...body])).toEqual(
      Array.from({ length: 11 }, (_, index) => [index + 1]),
    )
    expect((await store.deltasAfter(1, 9)).map((body) => [...body])).toEqual([[10], [11]])
    expect(await store.deltasAfter(1, 11)).toEqual([])
    expect(await store.appendDelta(2, 1, bytes(1))).toBe('other-epoch')
  })

  test('of ten appends of one number at the same time exactly one is stored', async () => {
    const { store } = await fresh()
    await store.activate(1, AT)
    const results = await Promise.all(
      Array.from({ length: 10 }, (_, index) => store.appendDelta(1, 1, bytes(index))),
    )
    expect(results.filter((result) => result === 'stored')).toHaveLength(1)
    expect(results.filter((result) => result === 'exists')).toHaveLength(9)
  })

  test('a delta of 2.5 MB comes back whole', async () => {
    const { store } = await fresh()
    await store.activate(1, AT)
    const large = Uint8Array.from({ length: 2_500_000 }, (_, index) => index % 251)
    await store.appendDelta(1, 1, large)
    const [body] = await store.deltasAfter(1, 0)
    expect(body?.length).toBe(2_500_000)
    expect(body?.every((value, index) => value === index % 251)).toBe(true)
  })

  test('everything is there again after a restart', async () => {
    const { name, store } = await fresh()
    await store.putFile('c'.repeat(64), bytes(7))
    await store.putManifest(5, 'jws 5')
    await store.activate(5, AT)
    await store.appendDelta(5, 1, bytes(8))
    const again = await open(name)
    expect(await again.pointer()).toEqual({ epoch: 5, delta: 1, activated: AT, newest: 5 })
    expect(await again.getManifest(5)).toBe('jws 5')
    expect([...((await again.getFile('c'.repeat(64))) ?? [])]).toEqual([7])
    expect((await again.deltasAfter(5, 0)).map((body) => [...body])).toEqual([[8]])
  })
}
