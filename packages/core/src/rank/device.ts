import type { TrackedEvent } from '../event/event.ts'
import { disliked, toHistory, type HistoryItem } from '../event/history.ts'
import { MAX_DEVICE_CANDIDATES, type DeviceList, type DeviceWeights } from '../wire.ts'
import { dotRows, gatherRows } from './matrix.ts'
import { encode } from './encode.ts'
import { computeFeatures, FEATURES, type FeatureTables } from './features.ts'
import { fromHalf, toHalves } from './half.ts'
import type { ServingModel } from './model.ts'
import { encoderInput, MAX_HISTORY_STEPS, toRows } from './pipeline.ts'
import { score } from './score.ts'
import { RANKER_INPUT, type StandardWeights } from './weights.ts'

/** An item as a device may keep it beyond the list it came with; only comparable within its epoch. */
export interface DeviceRow {
  readonly id: string
  /** [d] */
  readonly factors: ArrayLike<number>
  readonly popularity: number
}

/**
 * What a page needs to put rows in order by itself. Half precision moves a cosine by less than 0.001.
 *
 * @param candidates - different rows, at most 200
 * @param steps - what the list was ranked from, oldest first, unknown items included
 */
export function packDevice(
  model: ServingModel,
  weights: string,
  candidates: readonly number[],
  steps: readonly HistoryItem[],
): DeviceList {
  const { dim, neighbours: k, srItems, srScores } = model
  const list = candidates.slice(0, MAX_DEVICE_CANDIDATES)
  const placeOf = new Map(list.map((row, place) => [row, place]))
  const known = steps.flatMap(({ item }) => model.rowOf(item) ?? []).toReversed()
  // The encoder sees the newest steps only; of older ones the page needs to know that they are in the model.
  const rows = [...new Set([...list, ...known.slice(0, model.manifest.historyLength)])]
  const rules = rows.map((row) => {
    const found: (readonly [place: number, score: number])[] = []
    for (let slot = row * k; slot < (row + 1) * k && srScores[slot]! > 0; slot++) {
      const place = placeOf.get(srItems[slot]!)
      if (place !== undefined) found.push([place, srScores[slot]!])
    }
    return found
  })
  const neighbours = Math.max(1, ...rules.map((found) => found.length))
  const padded = (part: 0 | 1): Uint8Array =>
    Uint8Array.from(
      rules.flatMap((found) => Array.from({ length: neighbours }, (_, slot) => found[slot]?.[part] ?? 0)),
    )
  const column = (values: Float32Array): number[] => rows.map((row) => short(values[row]!))
  return {
    weights,
    ids: [...new Set([...rows, ...known])].map((row) => model.ids[row] ?? ''),
    candidates: list.length,
    popularity: column(model.popularity),
    trend: column(model.trend),
    srScales: column(model.srScales),
    srSums: column(model.srSums),
    dim,
    factors: base64(toHalves(gatherRows(model.factors, dim, rows))),
    neighbours,
    srItems: base64(padded(0)),
    srScores: base64(padded(1)),
    steps,
  }
}

/** As many digits as a float32 has. */
const short = (value: number): number => Number(value.toPrecision(8))

function base64(array: Uint16Array | Uint8Array): string {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''))
}

const bytesOf = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text), (byte) => byte.charCodeAt(0))
const halvesOf = (text: string): Float32Array =>
  Float32Array.from(new Uint16Array(bytesOf(text).buffer), fromHalf)

/** A list as tables that ranking reads, with rows kept from earlier lists; rules that start at those are not known. */
interface DeviceModel extends FeatureTables {
  rowOf(id: string): number | undefined
}

function unpack(list: DeviceList, kept: readonly DeviceRow[]): DeviceModel {
  const { ids, dim } = list
  const rowOf = new Map(ids.map((id, row) => [id, row]))
  for (const { id } of kept) if (!rowOf.has(id)) rowOf.set(id, rowOf.size)
  // Rows without data are never looked at: those of the history are older than what the encoder sees.
  const factors = new Float32Array(rowOf.size * dim)
  factors.set(halvesOf(list.factors))
  const popularity = [...list.popularity]
  for (const row of kept) {
    const at = rowOf.get(row.id)!
    factors.set(row.factors, at * dim)
    popularity[at] = row.popularity
  }
  return {
    ...list,
    rowOf: (id) => rowOf.get(id),
    factors,
    popularity,
    scanner: { dots: (some, vectors) => dotRows(factors, dim, some, vectors) },
    srItems: bytesOf(list.srItems),
    srScores: bytesOf(list.srScores),
  }
}

/** One row of a list, to be kept after the list is gone; undefined when the list has no data of it. */
export function keepRow(list: DeviceList, id: string): DeviceRow | undefined {
  const row = list.ids.indexOf(id)
  if (row < 0 || row >= list.popularity.length) return undefined
  const { dim, factors, popularity } = unpack(list, [])
  return { id, factors: [...gatherRows(factors, dim, [row])], popularity: popularity[row]! }
}

/**
 * Scores of a list's candidates, as `rankHistory` gives them: the same history, encoder, features and ranker, in one turn
 * of the event loop. Without a known step in the history: by popularity. What the visitor dislikes has none.
 *
 * O(L·d² + n·(5·d + h·z)) time.
 *
 * @param kept - rows of earlier lists of this epoch
 * @param events - what the page has seen since, in any order; told again what the list was ranked from changes nothing
 * @throws RangeError, or what `atob` throws, when the list contradicts itself
 */
export function scoreOnDevice(
  list: DeviceList,
  kept: readonly DeviceRow[],
  events: readonly TrackedEvent[],
  { encoder, ranker }: StandardWeights,
): Map<string, number> {
  const { ids, steps, dim } = list
  const model = unpack(list, kept)
  const unwanted = disliked(events)
  const rows = Uint32Array.from({ length: list.candidates }, (_, row) => row).filter(
    (row) => !unwanted.has(ids[row]!),
  )
  // Steps come without their events' ids: what happened to an item at one moment is one event.
  const newer = events.filter(
    (event) => !steps.some(({ item, at }) => item === event.item && at === event.at),
  )
  const older = steps.map((step, index) => ({ ...step, id: String(index) }) as TrackedEvent)
  const history = toRows(model, toHistory([...older, ...newer], 2 * MAX_HISTORY_STEPS))
  let scores: ArrayLike<number> = [...rows].map((row) => Math.log1p(model.popularity[row]!))
  if (history.rows.length > 0) {
    const query = encode(encoderInput({ ...model, manifest: encoder }, history), encoder)
    const features = new Float32Array(rows.length * FEATURES)
    const context = computeFeatures(model, history, rows, (row) => rows.indexOf(row), features)
    const candidates = gatherRows(model.factors, dim, rows)
    scores = score({ count: rows.length, query, candidates, features, context }, ranker)
  }
  return new Map(Array.from(rows, (row, place) => [ids[row]!, scores[place]!]))
}

/** Weights as a page downloads them once an epoch: vectors as they are, matrices as halves. */
export function packWeights({ encoder, ranker }: StandardWeights): DeviceWeights {
  const part = (weights: object): DeviceWeights['encoder'] =>
    Object.fromEntries(
      Object.entries(weights).map(([name, value]: [string, Float32Array | number]) => [
        name,
        typeof value === 'number'
          ? value
          : MATRICES.has(name)
            ? base64(toHalves(value))
            : Array.from(value, short),
      ]),
    )
  return { encoder: part(encoder), ranker: part(ranker) }
}

const MATRICES: ReadonlySet<string> = /* @__PURE__ */ new Set(['position', 'w1', 'w2', 'w3', 'hidden'])

/** @returns undefined when these are not weights of this code's ranker */
export function unpackWeights({ encoder, ranker }: Partial<DeviceWeights>): StandardWeights | undefined {
  const part = (weights = {}): object =>
    Object.fromEntries(
      Object.entries(weights).map(([name, value]) => [
        name,
        typeof value === 'string' ? halvesOf(value) : value,
      ]),
    )
  const weights = { encoder: part(encoder), ranker: part(ranker) } as StandardWeights
  return weights.ranker.mean?.length === RANKER_INPUT ? weights : undefined
}
