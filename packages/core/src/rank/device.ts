import type { TrackedEvent } from '../event/event.ts'
import { disliked, HISTORY_KINDS, toHistory, type HistoryItem } from '../event/history.ts'
import { MAX_DEVICE_CANDIDATES, type DeviceList } from '../wire.ts'
import { encode } from './encode.ts'
import { computeFeatures, FEATURES, type FeatureTables } from './features.ts'
import { fromHalf, toHalves } from './half.ts'
import type { ServingModel } from './model.ts'
import { encoderInput, MAX_HISTORY_STEPS, toRows } from './pipeline.ts'
import { dotRows } from './scan.ts'
import { score } from './score.ts'
import { RANKER_INPUT, type StandardWeights } from './weights.ts'

/** Floats of a row besides its factors: popularity, trend, scale and sum of its sequential rules. */
const SCALARS = 4
/** Bytes before a device's weights: d, L, z and hidden units as u32. */
const WEIGHTS_HEADER_BYTES = 16

/** An item as a device may keep it beyond the list it came with; only comparable within its epoch. */
export interface DeviceRow {
  readonly id: string
  /** [d] */
  readonly factors: ArrayLike<number>
  readonly popularity: number
  readonly trend: number
}

/** The part of a model that a page holds: the rows of one list, of its history, and kept ones. */
export interface DeviceModel extends FeatureTables {
  readonly ids: readonly string[]
  /** The first so many rows are the list's candidates. */
  readonly candidates: number
  rowOf(id: string): number | undefined
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
  const links = rows.map((row) => {
    const found: (readonly [place: number, score: number])[] = []
    for (let slot = row * k; slot < (row + 1) * k && srScores[slot]! > 0; slot++) {
      const place = placeOf.get(srItems[slot]!)
      if (place !== undefined) found.push([place, srScores[slot]!])
    }
    return found
  })
  const flat = links.flat()
  const parts = [
    Float32Array.from(
      rows.flatMap((row) => [
        model.popularity[row]!,
        model.trend[row]!,
        model.srScales[row]!,
        model.srSums[row]!,
      ]),
    ),
    Uint16Array.from(
      rows.flatMap((row) => [...toHalves(model.factors.subarray(row * dim, (row + 1) * dim))]),
    ),
    Uint16Array.from(flat, ([place]) => place),
    Uint8Array.from(flat, ([, value]) => value),
    Uint8Array.from(links, (found) => found.length),
  ]
  return {
    weights,
    ids: [...new Set([...rows, ...known])].map((row) => model.ids[row] ?? ''),
    candidates: list.length,
    rows: rows.length,
    dim,
    links: flat.length,
    steps: steps.map(({ item, kind, at }) => [item, kind, at]),
    data: btoa(parts.map(binary).join('')),
  }
}

function binary(array: Float32Array | Uint16Array | Uint8Array): string {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')
}

/**
 * A list → tables that ranking reads. What is kept besides is added unless the list has it; rules that start at it are not known.
 *
 * @throws RangeError, or DOMException in `atob`, when `data` is not as long as the list says
 */
export function unpackDevice(list: DeviceList, kept: readonly DeviceRow[] = []): DeviceModel {
  const { dim, rows, links } = list
  const { buffer } = Uint8Array.from(atob(list.data), (byte) => byte.charCodeAt(0))
  const rowOf = new Map(list.ids.map((id, row) => [id, row]))
  const added = kept.filter(({ id }) => (rowOf.get(id) ?? rows) >= rows)
  for (const { id } of added) if (!rowOf.has(id)) rowOf.set(id, rowOf.size)
  const capacity = rowOf.size
  const scalars = new Float32Array(buffer, 0, rows * SCALARS)
  const column = (index: number): Float32Array =>
    Float32Array.from({ length: capacity }, (_, row) => scalars[row * SCALARS + index] ?? 0)
  const halves = new Uint16Array(buffer, scalars.byteLength, rows * dim + links)
  const factors = new Float32Array(capacity * dim)
  for (let at = 0; at < rows * dim; at++) factors[at] = fromHalf(halves[at]!)
  const bytes = new Uint8Array(buffer, scalars.byteLength + halves.byteLength, links + rows)

  const neighbours = Math.max(1, ...bytes.subarray(links))
  const srItems = new Uint32Array(capacity * neighbours)
  const srScores = new Uint8Array(capacity * neighbours)
  let link = 0
  for (let row = 0; row < rows; row++) {
    for (let slot = 0; slot < bytes[links + row]!; slot++, link++) {
      srItems[row * neighbours + slot] = halves[rows * dim + link]!
      srScores[row * neighbours + slot] = bytes[link]!
    }
  }
  const popularity = column(0)
  const trend = column(1)
  for (const row of added) {
    const at = rowOf.get(row.id)!
    factors.set(row.factors, at * dim)
    popularity[at] = row.popularity
    trend[at] = row.trend
  }
  return {
    ids: [...rowOf.keys()],
    candidates: list.candidates,
    rowOf: (id) => rowOf.get(id),
    dim,
    factors,
    scanner: { dots: (some, vectors) => dotRows(factors, dim, some, vectors) },
    neighbours,
    srItems,
    srScores,
    srScales: column(2),
    srSums: column(3),
    popularity,
    trend,
  }
}

/** One row of the model, to be kept after its list is gone. */
export function keepRow(model: DeviceModel, id: string): DeviceRow | undefined {
  const row = model.rowOf(id)
  return row === undefined
    ? undefined
    : {
        id,
        factors: [...model.factors.subarray(row * model.dim, (row + 1) * model.dim)],
        popularity: model.popularity[row]!,
        trend: model.trend[row]!,
      }
}

/**
 * The candidates of a list in order, as `rankHistory` puts them: the same history, encoder, features and ranker, in one
 * turn of the event loop. Without a known step in the history: by popularity. What the visitor dislikes is left out.
 *
 * O(L·d² + n·(5·d + h·z)) time.
 *
 * @param events - what the page has seen since, in any order; told again what the list was ranked from changes nothing
 */
export function rankOnDevice(
  model: DeviceModel,
  { steps }: Pick<DeviceList, 'steps'>,
  events: readonly TrackedEvent[],
  { encoder, ranker }: StandardWeights,
): { readonly id: string; readonly score: number }[] {
  const unwanted = disliked(events)
  const rows: number[] = []
  for (let row = 0; row < model.candidates; row++) if (!unwanted.has(model.ids[row]!)) rows.push(row)
  const history = toRows(
    model,
    toHistory([...steps.map(eventOf), ...events.map(renamed)], 2 * MAX_HISTORY_STEPS),
  )
  const scores =
    history.rows.length === 0 || rows.length === 0
      ? rows.map((row) => Math.log1p(model.popularity[row]!))
      : scoreRows(model, history, Uint32Array.from(rows), { encoder, ranker })
  return rows
    .map((row, place) => ({ id: model.ids[row]!, row, score: scores[place]! }))
    .sort((a, b) => b.score - a.score)
    .map(({ id, score: value }) => ({ id, score: value }))
}

function scoreRows(
  model: DeviceModel,
  history: ReturnType<typeof toRows>,
  rows: Uint32Array,
  { encoder, ranker }: StandardWeights,
): Float32Array {
  const { dim, factors } = model
  const query = encode(encoderInput({ dim, factors, manifest: encoder }, history), encoder)
  const features = new Float32Array(rows.length * FEATURES)
  const context = computeFeatures(model, history, rows, (row) => rows.indexOf(row), features)
  const candidates = new Float32Array(rows.length * dim)
  rows.forEach((row, place) => candidates.set(factors.subarray(row * dim, (row + 1) * dim), place * dim))
  return score({ count: rows.length, query, candidates, features, context }, ranker)
}

/** Steps come without their events' ids; what happened to an item at one moment is one event. */
const named = (item: string, at: number, kind: string): string => `${at} ${kind.split(':')[0]} ${item}`
const eventOf = ([item, kind, at]: DeviceList['steps'][number]): TrackedEvent => ({
  id: named(item, at, kind),
  kind: kind === 'custom' ? 'custom:' : kind,
  item,
  at,
})
const renamed = (event: TrackedEvent): TrackedEvent => ({
  ...event,
  id: named(event.item ?? '', event.at, event.kind),
})

/** Weights as a page downloads them once an epoch: the ranker's as they are, the encoder's matrices as halves. */
export function packWeights({ encoder: e, ranker: r }: StandardWeights): Uint8Array<ArrayBuffer> {
  const floats = [
    Float32Array.of(e.decay),
    e.strength,
    r.mean,
    r.inverseStd,
    r.linear,
    r.hidden,
    r.hiddenBias,
    r.out,
  ]
  const halves = [e.position, e.w1, e.w2, e.bias, e.v, e.w3]
  const parts = [
    Uint32Array.of(e.dim, e.historyLength, r.mean.length, r.hiddenBias.length),
    ...floats,
    ...halves.map(toHalves),
  ]
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), at)
    at += part.byteLength
  }
  return bytes
}

/** @returns undefined when these are weights of another ranker than this code's */
export function unpackWeights(buffer: ArrayBuffer): StandardWeights | undefined {
  if (buffer.byteLength < WEIGHTS_HEADER_BYTES) return undefined
  const [d = 0, length = 0, z = 0, h = 0] = new Uint32Array(buffer, 0, 4)
  const kinds = HISTORY_KINDS.length
  const encoderValues = length * d + 4 * d * d + 2 * d
  const rankerValues = 1 + kinds + 3 * z + h * z + 2 * h
  if (z !== RANKER_INPUT || buffer.byteLength !== WEIGHTS_HEADER_BYTES + 4 * rankerValues + 2 * encoderValues)
    return undefined
  let at = WEIGHTS_HEADER_BYTES
  const floats = (count: number): Float32Array => {
    at += 4 * count
    return new Float32Array(buffer, at - 4 * count, count)
  }
  const halves = (count: number): Float32Array => {
    at += 2 * count
    return Float32Array.from(new Uint16Array(buffer, at - 2 * count, count), fromHalf)
  }
  const decay = floats(1)[0]!
  const strength = floats(kinds)
  const ranker = {
    mean: floats(z),
    inverseStd: floats(z),
    linear: floats(z),
    hidden: floats(h * z),
    hiddenBias: floats(h),
    out: floats(h),
  }
  return {
    encoder: {
      dim: d,
      historyLength: length,
      decay,
      strength,
      position: halves(length * d),
      w1: halves(d * d),
      w2: halves(d * d),
      bias: halves(d),
      v: halves(d),
      w3: halves(2 * d * d),
    },
    ranker,
  }
}
