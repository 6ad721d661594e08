import type { Random } from '../uuid.ts'

/**
 * A seeded source of numbers in `[0, 1)` for tests, simulations and anything that must be repeatable.
 *
 * @see Tommy Ettinger's Mulberry32: 32 bits of state, passes gjrand for 2^32 numbers
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
