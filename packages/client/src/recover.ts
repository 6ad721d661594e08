import type { TrackedEvent } from '@attune/core'
import type { Batch } from './batch.ts'
import type { Pair } from './store/key-value.ts'

/** Writing to the database takes milliseconds: what is older was left by a page that is gone. */
export const ABANDONED_AFTER_MS = 3_000

/**
 * Takes over what pages left in `localStorage` that ended before the database confirmed it. To be called by one tab at a
 * time. Few pages ever load this.
 *
 * @param keys - where those pages left it
 * @param all - what the store holds; what is taken over is put into it
 * @param pairs - what is to be written; gets it too
 * @returns to be done when it is written
 */
export function recover(
  keys: readonly string[],
  all: Map<string, unknown>,
  pairs: Pair[],
  now: number,
): () => void {
  /** What each page left, as it was read. */
  const read = new Map<string, string>()
  const change = (key: string, value?: unknown): void => {
    pairs.push([key, value])
    if (value) all.set(key, value)
    else all.delete(key)
  }
  const sent = new Set(((all.get('recent') ?? []) as TrackedEvent[]).map(({ id }) => id))
  for (const key of keys) {
    try {
      const text = localStorage[key] as string
      const [at, left] = JSON.parse(text) as [number, Batch[]]
      // A clock that was put back must not keep them for ever.
      if (Math.abs(now - at) >= ABANDONED_AFTER_MS) read.set(key, text)
      for (const { id, events } of left) {
        const name = `b:${id}`
        // This one and what it was made of had been written.
        if (id <= (all.get(`w:${key.split(':').at(-1)}`) as string)) continue
        const ids = new Set(events.map((event) => event.id))
        // It stands in place of what its page had written before.
        for (const [other, value] of all)
          if (other.startsWith('b:') && ids.has((value as Batch).events[0]?.id ?? '')) change(other)
        const rest = events.filter((event) => !sent.has(event.id))
        if (rest[0]) change(name, { id, events: rest })
      }
    } catch {
      // Nothing of ours, or refused.
    }
  }
  return () => {
    // Not before: this page may end, too. A page that was only slow has written something newer, which stays.
    for (const [key, text] of read) {
      try {
        if (localStorage[key] === text) delete localStorage[key]
      } catch {
        // Refused.
      }
    }
  }
}
