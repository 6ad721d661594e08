import type { TrackedEvent } from '@attune/core'
import type { Batch } from './batch.ts'
import type { advance, Numbered } from './sequence.ts'
import type { Facts } from './store/facts.ts'
import type { Pair } from './store/key-value.ts'

/** Pages whose marks in the store are kept: the newest. */
const PAGES_KEPT = 100

/** Writing to the database takes milliseconds: what is older was left by a page that is gone. */
export const ABANDONED_AFTER_MS = 3_000

/**
 * Takes over what pages left in `localStorage` that ended before the database confirmed it. Of a tab whose newest number is
 * nowhere, this number becomes a batch: either the tab has ended, or what it brings later comes after it. To be called by one tab
 * at a time. Few pages ever load this.
 *
 * @param keys - where those pages and tabs left it
 * @param all - what the store holds; what is taken over is put into it
 * @param pairs - what is to be written; gets it too
 * @returns to be done when it is written
 */
export function recover(
  keys: readonly string[],
  all: Map<string, unknown>,
  pairs: Pair[],
  now: number,
  makeId: () => string,
  // Handed over, so that what is loaded with every page is one file.
  step: typeof advance,
): () => void {
  /** What each page left, as it was read, and is not needed there any more. */
  const read = new Map<string, string>()
  const marked: Numbered[] = []
  const change = (key: string, value?: unknown): void => {
    pairs.push([key, value])
    if (value) all.set(key, value)
    else all.delete(key)
  }
  const sent = new Set(((all.get('recent') ?? []) as TrackedEvent[]).map(({ id }) => id))
  const pages = [...all.keys()].filter((key) => key.startsWith('w:')).sort()
  for (const key of pages.slice(0, -PAGES_KEPT)) pairs.push([key])
  for (const key of keys) {
    try {
      const text = localStorage[key] as string
      const owner = key.split(':').at(-1) as string
      // An idle mark is not JSON.
      if (text < '[') read.set(key, text)
      const [at, left] = JSON.parse(text) as [number, Batch[] | number]
      // A clock that was put back must not keep them for ever.
      const abandoned = Math.abs(now - at) >= ABANDONED_AFTER_MS
      if (abandoned) read.set(key, text)
      if (typeof left === 'number') {
        if (abandoned) marked.push({ tab: owner, seq: left - 1e9 })
        continue
      }
      for (const { id, events } of left) {
        const name = `b:${id}`
        // This one and what it was made of had been written.
        if (id <= (all.get(`w:${owner}`) as string)) continue
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
  // What waits, what was taken over included, is not lost.
  let { seen = {} } = (all.get('facts') ?? {}) as Facts
  for (const [key, value] of all as Map<string, Batch>) if (key.startsWith('b:')) seen = step(seen, value)
  const last = marked.filter(({ tab, seq }) => seq > (seen[tab] ?? 0))
  if (last[0]) {
    const id = makeId()
    change(`b:${id}`, { id, events: [], last })
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
