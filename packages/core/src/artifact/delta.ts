import { describe } from '../error.ts'
import { parseCatalogue, type ItemAttributes } from '../item.ts'
import { ArtifactError } from './errors.ts'
import { ARTIFACT_FORMAT } from './manifest.ts'
import { readSafetensors, type Tensor, type TensorData } from './safetensors.ts'

/** Signed part of a delta: the payload of its JWS. */
export interface DeltaHeader {
  readonly format: number
  readonly epoch: number
  /** 1 for the first after an epoch, then without gaps. */
  readonly delta: number
  /** Session token up to which clicks are contained; null when nothing was read yet. */
  readonly through: string | null
  /** ISO 8601. */
  readonly created: string
  /** Of the safetensors bytes, lower-case hex. */
  readonly sha256: string
  readonly bytes: number
  /** Ids of new items; their rows follow the last row there was. */
  readonly items: readonly string[]
  /**
   * What the catalogue says of items from now on, all of an item's attributes at once; null: it was deleted, and is in no
   * list until it comes back.
   */
  readonly attributes?: Readonly<Record<string, ItemAttributes | null>>
}

/** Rows of factors, absolute values. `factors` is [rows, d]. */
export interface FactorRows {
  readonly rows: Uint32Array
  readonly factors: Float32Array
}

/** Rows of the table of sequential rules, absolute values. `items`, `scores` are [rows, K]. */
export interface NeighbourRows {
  readonly rows: Uint32Array
  readonly items: Uint32Array
  readonly scores: Uint8Array
  readonly scales: Float32Array
  readonly sums: Float32Array
}

export interface PopularityRows {
  readonly rows: Uint32Array
  readonly popularity: Float32Array
  readonly trend: Float32Array
}

/** Rows of the table of what was bought together, absolute values. `items`, `scores` are [rows, B]. */
export interface TogetherRows {
  readonly rows: Uint32Array
  readonly items: Uint32Array
  readonly scores: Uint8Array
  readonly scales: Float32Array
  /** B */
  readonly width: number
}

/** What a delta changes. Values are absolute: applying it twice changes nothing. */
export interface DeltaContent {
  readonly factors?: FactorRows
  readonly neighbours?: NeighbourRows
  readonly popularity?: PopularityRows
  readonly together?: TogetherRows
}

/** The model a delta is meant for. */
export interface DeltaShape {
  /** Rows there are once the delta's new items are appended. */
  readonly items: number
  readonly dim: number
  /** K */
  readonly neighbours: number
  /** B; absent: the model has no such table yet, and the delta's decides. */
  readonly together?: number
}

/** Splits the body of a delta into its JWS and its tensor bytes. @throws {ArtifactError} `ARTIFACT_MALFORMED` */
export function splitDelta(body: Uint8Array): { jws: string; tensors: Uint8Array } {
  const length = body.length >= 4 ? new DataView(body.buffer, body.byteOffset, 4).getUint32(0, true) : -1
  if (length < 1 || length > 4_000_000 || 4 + length > body.length) {
    throw new ArtifactError(
      'ARTIFACT_MALFORMED',
      `delta: a signature of ${length} bytes in a body of ${body.length}`,
    )
  }
  return {
    jws: new TextDecoder().decode(body.subarray(4, 4 + length)),
    tensors: new Uint8Array(body.subarray(4 + length)),
  }
}

export function joinDelta(jws: string, tensors: Uint8Array): Uint8Array<ArrayBuffer> {
  const signature = new TextEncoder().encode(jws)
  const body = new Uint8Array(4 + signature.length + tensors.length)
  new DataView(body.buffer).setUint32(0, signature.length, true)
  body.set(signature, 4)
  body.set(tensors, 4 + signature.length)
  return body
}

/** @throws {ArtifactError} `ARTIFACT_MALFORMED`, `ARTIFACT_VERSION_UNSUPPORTED` */
export function parseDeltaHeader(input: unknown): DeltaHeader {
  const header = (typeof input === 'object' && input !== null ? input : {}) as Record<string, unknown>
  const { format, epoch, delta, through, created, sha256, bytes, items, attributes } = header
  const natural = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 1
  if (natural(format) && format > ARTIFACT_FORMAT) {
    throw new ArtifactError(
      'ARTIFACT_VERSION_UNSUPPORTED',
      `delta.format: expected at most ${ARTIFACT_FORMAT}, received ${format}`,
    )
  }
  if (
    !natural(format) ||
    !natural(epoch) ||
    !natural(delta) ||
    (through !== null && typeof through !== 'string') ||
    typeof created !== 'string' ||
    typeof sha256 !== 'string' ||
    !natural(bytes) ||
    !Array.isArray(items) ||
    !items.every((id) => typeof id === 'string' && id.length >= 1 && id.length <= 256)
  ) {
    throw new ArtifactError(
      'ARTIFACT_MALFORMED',
      `delta: expected a delta header, received ${describe(JSON.stringify(input))}`,
    )
  }
  const known = { format, epoch, delta, through, created, sha256, bytes, items: items as string[] }
  return attributes === undefined
    ? known
    : { ...known, attributes: Object.fromEntries(readCatalogue(attributes, 'delta.attributes')) }
}

/**
 * Attributes by item id out of a delta or the `items` file.
 *
 * @throws {ArtifactError} `ARTIFACT_MALFORMED`, with every problem in `issues`
 */
export function readCatalogue(input: unknown, path: string): ReadonlyMap<string, ItemAttributes | null> {
  const { catalogue, issues } = parseCatalogue(input, path)
  if (issues[0] === undefined) return catalogue
  const more = issues.length === 1 ? '' : `; ${issues.length - 1} more`
  throw new ArtifactError('ARTIFACT_MALFORMED', `${issues[0].message}${more}`, { issues })
}

/**
 * Tensors of a delta → what it changes, every shape and row checked against the model it is meant for.
 *
 * @throws {ArtifactError} `ARTIFACT_MALFORMED`, `ARTIFACT_SHAPE_MISMATCH`
 */
export function readDelta(bytes: Uint8Array, shape: DeltaShape): DeltaContent {
  const { items, dim, neighbours } = shape
  const tensors = readSafetensors(bytes)
  const take = <Data extends TensorData>(
    name: string,
    type: new (n: 0) => Data,
    expected: number[],
  ): Data => {
    const tensor = tensors.get(name)
    const received =
      tensor === undefined ? 'nothing' : `${tensor.data.constructor.name} [${tensor.shape.join(', ')}]`
    if (!(tensor?.data instanceof type) || tensor.shape.join() !== expected.join()) {
      throw new ArtifactError(
        'ARTIFACT_SHAPE_MISMATCH',
        `delta tensor ${name}: expected ${type.name} [${expected.join(', ')}], received ${received}`,
      )
    }
    return tensor.data
  }
  const rowsOf = (name: string): Uint32Array | undefined => {
    const tensor = tensors.get(name)
    if (tensor === undefined) return undefined
    const rows = take(name, Uint32Array, [tensor.data.length])
    const outside = rows.find((row) => row >= items)
    if (outside !== undefined) {
      throw new ArtifactError(
        'ARTIFACT_SHAPE_MISMATCH',
        `delta tensor ${name}: row ${outside} of ${items} items`,
      )
    }
    return rows
  }
  const finite = (name: string, values: Float32Array): Float32Array => {
    if (!values.every(Number.isFinite))
      throw new ArtifactError('ARTIFACT_MALFORMED', `delta tensor ${name}: not finite`)
    return values
  }
  const rows = rowsOf('rows')
  const srRows = rowsOf('sr_rows')
  const popularityRows = rowsOf('popularity_rows')
  const btRows = rowsOf('bt_rows')
  const width = shape.together ?? Math.max(1, tensors.get('bt_items')?.shape[1] ?? 1)
  return {
    ...(rows && {
      factors: { rows, factors: finite('factors', take('factors', Float32Array, [rows.length, dim])) },
    }),
    ...(srRows && {
      neighbours: {
        rows: srRows,
        items: checkTargets(take('sr_items', Uint32Array, [srRows.length, neighbours]), items),
        scores: take('sr_scores', Uint8Array, [srRows.length, neighbours]),
        scales: finite('sr_scales', take('sr_scales', Float32Array, [srRows.length])),
        sums: finite('sr_sums', take('sr_sums', Float32Array, [srRows.length])),
      },
    }),
    ...(popularityRows && {
      popularity: {
        rows: popularityRows,
        popularity: finite('popularity', take('popularity', Float32Array, [popularityRows.length])),
        trend: finite('trend', take('trend', Float32Array, [popularityRows.length])),
      },
    }),
    ...(btRows && {
      together: {
        rows: btRows,
        items: checkTargets(take('bt_items', Uint32Array, [btRows.length, width]), items),
        scores: take('bt_scores', Uint8Array, [btRows.length, width]),
        scales: finite('bt_scales', take('bt_scales', Float32Array, [btRows.length])),
        width,
      },
    }),
  }
}

/** Absent neighbour: fills a row that has fewer than K. */
export const NO_ITEM = 0xffff_ffff

/** @throws {ArtifactError} `ARTIFACT_SHAPE_MISMATCH` when a neighbour is not a row there is */
export function checkTargets(targets: Uint32Array, items: number): Uint32Array {
  const outside = targets.find((row) => row >= items && row !== NO_ITEM)
  if (outside !== undefined) {
    throw new ArtifactError('ARTIFACT_SHAPE_MISMATCH', `neighbour ${outside} of ${items} items`)
  }
  return targets
}

/** Tensors of a delta in file order; the inverse of {@link readDelta}. */
export function deltaTensors(content: DeltaContent, dim: number, neighbours: number): Record<string, Tensor> {
  const { factors, neighbours: sr, popularity, together } = content
  const vector = (data: TensorData): Tensor => ({ shape: [data.length], data })
  return {
    ...(factors && {
      rows: vector(factors.rows),
      factors: { shape: [factors.rows.length, dim], data: factors.factors },
    }),
    ...(sr && {
      sr_rows: vector(sr.rows),
      sr_items: { shape: [sr.rows.length, neighbours], data: sr.items },
      sr_scores: { shape: [sr.rows.length, neighbours], data: sr.scores },
      sr_scales: vector(sr.scales),
      sr_sums: vector(sr.sums),
    }),
    ...(popularity && {
      popularity_rows: vector(popularity.rows),
      popularity: vector(popularity.popularity),
      trend: vector(popularity.trend),
    }),
    ...(together && {
      bt_rows: vector(together.rows),
      bt_items: { shape: [together.rows.length, together.width], data: together.items },
      bt_scores: { shape: [together.rows.length, together.width], data: together.scores },
      bt_scales: vector(together.scales),
    }),
  }
}
