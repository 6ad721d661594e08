import type { TrackedEvent } from '@attune/core'
import type { added, Batch, claimed } from './batch.ts'
import { attempt } from './store/attempt.ts'
import type { Kept } from './store/kept.ts'
import type { Pair } from './store/key-value.ts'

/** Writing to the database takes milliseconds: what is older was left by a page that is gone. */
export const ABANDONED_AFTER_MS = 3_000

/** Batches this page has taken over: they stay in `localStorage` until their own page has been gone for a while. */
const known = new Set<string>()

/**
 * Takes over what pages left in `localStorage` that ended before the database confirmed it. To be called by one tab at a
 * time. Few pages ever load this.
 *
 * @param keys - where those pages left it
 */
export async function recover(
  kept: Kept,
  keys: readonly string[],
  now: number,
  recent: () => Promise<TrackedEvent[]>,
  // Handed over, so that what is loaded with every page is one file.
  add: typeof added,
  claim: typeof claimed,
): Promise<void> {
  /** What each page left, as it was read. */
  const read = new Map<string, string>()
  const adopted: Pair[] = []
  for (const key of keys) {
    try {
      const text = localStorage[key] as string
      const [at, left] = JSON.parse(text) as [number, Pair[]]
      // A clock that was put back must not keep them for ever.
      const abandoned = Math.abs(now - at) >= ABANDONED_AFTER_MS
      if (abandoned) read.set(key, text)
      for (const pair of left) {
        const [name] = pair
        // A batch goes by its own id whoever sends it. If it waited, its events would be made another one meanwhile.
        if (name.startsWith('b:') ? !known.has(name) : abandoned) adopted.push(pair)
        known.add(name)
      }
    } catch {
      // Nothing of ours, or refused.
    }
  }
  for (const [name, value] of adopted) {
    if (name.startsWith('b:')) await kept._put(claim(value as Batch))
    // One that had been written after all, and the page ended before it knew, is remembered.
    else {
      const event = value as TrackedEvent
      if ((await recent()).every(({ id }) => id !== event.id)) await kept._put(add([event]))
    }
  }
  // Not before: this page may end here too. A page that was only slow has written something newer, which stays.
  for (const [key, text] of read)
    attempt(() => {
      if (localStorage[key] === text) delete localStorage[key]
    })
}
