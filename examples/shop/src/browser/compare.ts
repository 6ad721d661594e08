/** One row of the newer list. */
export interface Move {
  readonly id: string
  /** Place in the newer list, from 0. */
  readonly to: number
  /** Place in the older list; undefined: it was not there. */
  readonly from: number | undefined
}

export interface Comparison {
  readonly moves: readonly Move[]
  /** Ids of the older list that are gone, with their places there. */
  readonly gone: readonly { readonly id: string; readonly from: number }[]
  readonly counts: {
    readonly fresh: number
    readonly up: number
    readonly down: number
    readonly stayed: number
  }
}

/** How one list became another. */
export function compareLists(before: readonly string[], after: readonly string[]): Comparison {
  const old = new Map(before.map((id, place) => [id, place]))
  const kept = new Set(after)
  const moves = after.map((id, to) => ({ id, to, from: old.get(id) }))
  const count = (test: (move: Move) => boolean) => moves.filter(test).length
  return {
    moves,
    gone: before.flatMap((id, from) => (kept.has(id) ? [] : [{ id, from }])),
    counts: {
      fresh: count(({ from }) => from === undefined),
      up: count(({ from, to }) => from !== undefined && to < from),
      down: count(({ from, to }) => from !== undefined && to > from),
      stayed: count(({ from, to }) => from === to),
    },
  }
}
