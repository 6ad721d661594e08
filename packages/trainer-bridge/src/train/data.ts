import { HISTORY_KINDS } from '@attune/core'
import { TrainError } from './errors.ts'

/** Visits to learn from. N items, V visits, C clicks. */
export interface TrainingData {
  /** [N]: item ids */
  readonly ids: readonly string[]
  /** [V + 1]: where each visit starts in `rows`; oldest visit first */
  readonly offsets: Uint32Array
  /** [C]: indices into `ids`, in time order within a visit */
  readonly rows: Uint32Array
  /** [C]: indices in `HISTORY_KINDS`; all clicks when absent */
  readonly kinds?: Uint8Array
  /** [C]: milliseconds; order only when absent */
  readonly times?: Float64Array
  /** Rows of each visit's basket, oldest first, where they are known apart from the kinds. */
  readonly baskets?: readonly (readonly number[])[]
}

/** @throws {TrainError} `TRAIN_DATA_MALFORMED`, naming what and where; `TRAIN_DATA_TOO_SMALL` */
export function checkData(data: TrainingData): void {
  const { ids, offsets, rows, kinds, times } = data
  const bad = (what: string) => new TrainError('TRAIN_DATA_MALFORMED', `training data: ${what}`)
  if (offsets.length === 0 || offsets[0] !== 0) throw bad('offsets: expected to start with 0')
  const last = offsets[offsets.length - 1]!
  if (last !== rows.length) throw bad(`offsets: expected to end with ${rows.length} clicks, received ${last}`)
  const falling = offsets.findIndex((offset, visit) => visit > 0 && offset < offsets[visit - 1]!)
  if (falling >= 0)
    throw bad(
      `offsets[${falling}]: expected at least ${offsets[falling - 1]!}, received ${offsets[falling]!}`,
    )
  const outside = rows.findIndex((row) => row >= ids.length)
  if (outside >= 0) throw bad(`rows[${outside}]: expected below ${ids.length}, received ${rows[outside]!}`)
  if (new Set(ids).size !== ids.length)
    throw bad(`ids: expected ${ids.length} different ones, received ${new Set(ids).size}`)
  for (const [name, array] of Object.entries({ kinds, times })) {
    if (array !== undefined && array.length !== rows.length) {
      throw bad(`${name}: expected ${rows.length} entries, received ${array.length}`)
    }
  }
  const odd = kinds?.findIndex((kind) => kind >= HISTORY_KINDS.length) ?? -1
  if (odd >= 0) throw bad(`kinds[${odd}]: expected below ${HISTORY_KINDS.length}, received ${kinds?.[odd]}`)
  let examples = 0
  for (let visit = 0; visit + 1 < offsets.length; visit++)
    examples += Math.max(0, offsets[visit + 1]! - offsets[visit]! - 1)
  if (examples === 0) throw new TrainError('TRAIN_DATA_TOO_SMALL', 'training data: no visit has two clicks')
}

/** The visits from `from` up to, not including, `to`; the same ids. Views, not copies, but for the offsets. */
export function sliceVisits(data: TrainingData, from: number, to: number): TrainingData {
  const start = data.offsets[from]!
  const end = data.offsets[to]!
  const offsets = data.offsets.slice(from, to + 1).map((offset) => offset - start)
  return {
    ids: data.ids,
    offsets,
    rows: data.rows.subarray(start, end),
    ...(data.kinds && { kinds: data.kinds.subarray(start, end) }),
    ...(data.times && { times: data.times.subarray(start, end) }),
  }
}

/** The oldest visits, with only the items that are in them, in the order they were first clicked. */
export function oldestVisits(data: TrainingData, visits: number): TrainingData {
  const { ids } = data
  const slice = sliceVisits(data, 0, visits)
  const rowOf = new Int32Array(ids.length).fill(-1)
  const kept: string[] = []
  const mapped = slice.rows.map((row) => {
    if (rowOf[row] === -1) rowOf[row] = kept.push(ids[row] ?? '') - 1
    return rowOf[row]!
  })
  const baskets = data.baskets
    ?.map((basket) => basket.map((row) => rowOf[row]!).filter((row) => row >= 0))
    .filter((basket) => basket.length > 1)
  return { ...slice, ids: kept, rows: mapped, ...(baskets && { baskets }) }
}

/**
 * Every click that has one before it in its visit is an example: predict it from what came before.
 *
 * @returns `target` [E]: places in `rows`; `start` [E]: place of the oldest step of its history, at most `length` back
 */
export function examplesOf(data: TrainingData, length: number): { target: Uint32Array; start: Uint32Array } {
  const { offsets, rows } = data
  const target = new Uint32Array(rows.length)
  const start = new Uint32Array(rows.length)
  let count = 0
  for (let visit = 0; visit + 1 < offsets.length; visit++) {
    const begin = offsets[visit]!
    for (let at = begin + 1; at < offsets[visit + 1]!; at++) {
      target[count] = at
      start[count++] = Math.max(begin, at - length)
    }
  }
  return { target: target.slice(0, count), start: start.slice(0, count) }
}
