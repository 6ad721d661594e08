import { readSafetensors, writeSafetensors, type Tensor, type TensorData } from '@attune/core/artifact'
import { BridgeError } from '../error.ts'
import type { LiveState } from '../refresh/live-model.ts'

/** Where a bridge stands: the base model, the epoch edges follow, and everything clicked since the base was trained. */
export interface Snapshot {
  /** Epoch of the artifact that is the base. */
  readonly baseEpoch: number
  /** Where ranges without a continuation start; a time in milliseconds since 1970. */
  readonly start: 'beginning' | 'now' | number
  /** Epoch edges are sent deltas to. */
  readonly epoch: number
  /** Deltas of that epoch there are. */
  readonly delta: number
  /** Number of the journal that goes on from here. */
  readonly journal: number
  readonly live: LiveState
}

const FORMAT = 1

/** Snapshot → one safetensors file: numbers as tensors, the rest as JSON in `meta`. */
export function writeSnapshot(snapshot: Snapshot): Uint8Array {
  const { live, ...place } = snapshot
  const { counts, together, factorRows, factors, ...rest } = live
  const meta = JSON.stringify({
    format: FORMAT,
    ...place,
    live: rest,
    trendClicks: counts.trendClicks,
    trendBase: counts.trendBase,
  })
  const vector = (data: TensorData): Tensor => ({ shape: [data.length], data })
  return writeSafetensors({
    meta: vector(new TextEncoder().encode(meta)),
    // safetensors of core has no 64-bit numbers: kept as their bytes.
    pairs: vector(bytesOf(counts.pairs)),
    steps: vector(bytesOf(counts.steps)),
    ...(together && { together: vector(bytesOf(together)) }),
    factor_rows: vector(factorRows),
    factors: vector(factors),
  })
}

/** @throws {BridgeError} `STATE_UNREADABLE` */
export function readSnapshot(bytes: Uint8Array): Snapshot {
  try {
    const tensors = readSafetensors(bytes)
    const meta = JSON.parse(new TextDecoder().decode(take(tensors, 'meta', Uint8Array))) as Omit<
      Snapshot,
      'live'
    > & {
      format: number
      trendClicks: number
      trendBase: number
      live: Omit<LiveState, 'counts' | 'together' | 'factorRows' | 'factors'>
    }
    if (meta.format !== FORMAT) throw new Error(`format ${meta.format}, this version reads ${FORMAT}`)
    const { format, trendClicks, trendBase, live, ...place } = meta
    void format
    return {
      ...place,
      live: {
        ...live,
        counts: {
          trendClicks,
          trendBase,
          pairs: doublesOf(take(tensors, 'pairs', Uint8Array)),
          steps: doublesOf(take(tensors, 'steps', Uint8Array)),
        },
        // Written by a version that counted no baskets yet.
        ...(tensors.has('together') && { together: doublesOf(take(tensors, 'together', Uint8Array)) }),
        factorRows: take(tensors, 'factor_rows', Uint32Array),
        factors: take(tensors, 'factors', Float32Array),
      },
    }
  } catch (cause) {
    throw new BridgeError('STATE_UNREADABLE', 'state.bin: not a snapshot this version can read', { cause })
  }
}

function take<Data extends TensorData>(
  tensors: ReadonlyMap<string, Tensor>,
  name: string,
  type: new (n: 0) => Data,
): Data {
  const data = tensors.get(name)?.data
  if (!(data instanceof type)) throw new Error(`tensor ${name} is missing`)
  return data
}

function bytesOf(values: Float64Array): Uint8Array {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
}

function doublesOf(bytes: Uint8Array): Float64Array {
  return new Float64Array(bytes.slice().buffer)
}
