import { expect, test, vi } from 'vitest'
import { Outbox, type OutboxOptions } from './outbox.ts'

function outbox(change: Partial<OutboxOptions<number>> = {}) {
  const sent: (readonly number[])[] = []
  const failed: unknown[] = []
  let dropped = 0
  let now = 0
  const background: Promise<unknown>[] = []
  const box = new Outbox<number>({
    send: (entries) => {
      sent.push(entries)
      return Promise.resolve()
    },
    waitMs: 60_000,
    full: 3,
    most: 5,
    now: () => now,
    failed: (error, entries) => failed.push([String(error), entries]),
    dropped: (entries) => (dropped += entries),
    ...change,
  })
  return {
    box,
    sent,
    failed,
    background,
    dropped: () => dropped,
    advance: (ms: number) => (now += ms),
    add: (entry: number) => {
      box.add(entry, (work) => background.push(work))
    },
  }
}

test('three entries go out in one sending, without waiting for the time to be up', async () => {
  const { sent, add, background } = outbox()
  for (const entry of [1, 2, 3, 4]) add(entry)
  await background[1]
  expect(sent).toEqual([[1, 2, 3]])
})

test('the first entry sends what came by then, once its time is up', async () => {
  vi.useFakeTimers()
  try {
    const { sent, add } = outbox({ waitMs: 1_000 })
    add(1)
    await vi.advanceTimersByTimeAsync(500)
    add(2)
    expect(sent).toEqual([])
    await vi.advanceTimersByTimeAsync(500)
    expect(sent).toEqual([[1, 2]])
  } finally {
    vi.useRealTimers()
  }
})

test('at the end what waits is sent at once', async () => {
  const { box, sent, add, background } = outbox()
  add(1)
  box.hurry()
  await Promise.all(background)
  expect(sent).toEqual([[1]])
})

test('entries whose request was cut off go out with a later one', async () => {
  const { sent, add, background, advance } = outbox({ waitMs: 1_000 })
  add(1)
  advance(2_001)
  add(2)
  await background[1]
  expect(sent).toEqual([[1, 2]])
})

test('a sending that fails is told and not repeated; what does not fit is dropped and counted', async () => {
  let fail: (error: unknown) => void = () => undefined
  const { add, failed, dropped, background } = outbox({
    send: () =>
      new Promise((_, reject) => {
        fail = reject
      }),
  })
  for (const entry of [1, 2, 3]) add(entry)
  for (const entry of [4, 5, 6, 7]) add(entry)
  expect(dropped()).toBe(2)
  fail(new Error('collector is down'))
  await background[1]
  expect(failed).toEqual([['Error: collector is down', 3]])
  add(8)
  expect(dropped()).toBe(2)
})
