import type { TrackedEvent } from '@attune/core'
import { expect, test, vi } from 'vitest'
import type { Batch } from './batch.ts'
import { createSignals } from './emitter.ts'
import type { Post } from './http.ts'
import { createQueue } from './queue.ts'
import { createSender } from './send.ts'
import { createFactKeeper } from './store/facts.ts'
import { createKept } from './store/kept.ts'
import type { KeyValueStore } from './store/key-value.ts'
import { createMemoryStore } from './store/memory.ts'

const click = (n: number): TrackedEvent => ({ id: `e${n}`, kind: 'click', item: `sku-${n}`, at: n })

/** A tab that has the Web Lock, on a store that several share. */
function tab(store: KeyValueStore, prefix: string) {
  vi.stubGlobal('document', { hidden: false })
  const sent: { batch: string; items: unknown[] }[] = []
  const { _report, ...signals } = createSignals((error) => {
    throw error
  })
  const kept = createKept(
    async () => store,
    _report,
    () => true,
  )
  const facts = createFactKeeper(kept)
  let ids = 0
  const queue = createQueue(kept, facts, () => `${prefix}${ids++}`, _report, Date.now)
  const post: Post = async (path, body) => {
    const answer = { _waitMs: 0, _durationMs: 1 }
    if (path === 'visitors') return { ...answer, _status: 201, _body: { visitor: 'v' } }
    const { batch, events } = body as { batch: string; events: TrackedEvent[] }
    sent.push({ batch, items: events.map(({ item }) => item) })
    return { ...answer, _status: 202, _body: { batch, session: 's' } }
  }
  const parts = {
    ...signals,
    _report,
    _kept: kept,
    _queue: queue,
    _post: post,
    _facts: facts,
    _now: Date.now,
    _random: () => 0,
    _allowed: () => true,
    _refused: () => false,
    _generation: 0,
  }
  const firm = (work: (held?: unknown) => Promise<void>) => work(true)
  return { sender: createSender(parts, firm, true, () => {}), sent }
}

/** A store whose look can be held up, as by another tab's long transaction. */
function held(inner: KeyValueStore) {
  let free: () => void = () => {}
  let gate: Promise<void> | undefined
  let waiting = 0
  return {
    waiting: () => waiting,
    hold: () => (gate = new Promise((resolve) => (free = resolve))),
    free: () => free(),
    store: {
      ...inner,
      async update(change: (all: Map<string, unknown>) => [string, unknown?][]) {
        if (gate) waiting++
        await gate
        return inner.update(change)
      },
    } as KeyValueStore,
  }
}

test('a page that goes away while it is looking what waits does not send its own click before older ones (they came out of order)', async () => {
  const inner = createMemoryStore()
  const { store, hold, free, waiting } = held(inner)
  const { sender, sent } = tab(store, 'b')
  sender._add([click(0)], 0)
  await vi.waitFor(() => expect(sent).toHaveLength(1))
  const older: Batch = { id: 'a9', events: [click(1)] }
  await inner.put([['b:a9', older]])
  hold()
  sender._look()
  await vi.waitFor(() => expect(waiting()).toBe(1))
  sender._add([click(2)], 50)
  sender._leaving(true)
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(sent).toHaveLength(1)
  free()
  sender._back()
  await vi.waitFor(() => expect(sent).toHaveLength(3))
  expect(sent.map(({ items }) => items)).toEqual([['sku-0'], ['sku-1'], ['sku-2']])
})

test('a page that knows that nothing else waits sends its last click as it goes, by the id it has had from the beginning', async () => {
  const store = createMemoryStore()
  const { sender, sent } = tab(store, 'b')
  sender._add([click(0)], 0)
  await vi.waitFor(() => expect(sent).toHaveLength(1))
  await vi.waitFor(async () => {
    let left: string[] = []
    await store.update((all) => ((left = [...all.keys()].filter((key) => key.startsWith('b:'))), []))
    expect(left).toEqual([])
  })
  sender._add([click(1)], 50)
  const kept = new Promise<string[]>((resolve) => {
    void store.update((all) => (resolve([...all.keys()].filter((key) => key.startsWith('b:'))), []))
  })
  sender._leaving(true)
  expect(sent.map(({ items }) => items)).toEqual([['sku-0'], ['sku-1']])
  expect(await kept).toEqual([`b:${sent[1]?.batch}`])
})
