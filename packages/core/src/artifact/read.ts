import { describe } from '../error.ts'
import type { ItemAttributes } from '../item.ts'
import { checkTargets, readCatalogue } from './delta.ts'
import { ArtifactError } from './errors.ts'
import type { Manifest } from './manifest.ts'
import { readSafetensors, type Tensor, type TensorData } from './safetensors.ts'

/** What was put into a basket or bought in one visit with an item: B partners a row, best first. N items. */
export interface TogetherTable {
  /** B */
  readonly width: number
  /** [N, B]; `NO_ITEM` where a row has fewer */
  readonly items: Uint32Array
  /** [N, B]; `count ≈ scale · score² / 255²` */
  readonly scores: Uint8Array
  /** [N] */
  readonly scales: Float32Array
}

/** Everything of an epoch but the graphs, as views into the files. N items, d wide, K neighbours. */
export interface ModelData {
  /** [N] */
  readonly ids: readonly string[]
  /** What the catalogue says of items, by id; null: deleted from it. Of some, all or no items. */
  readonly attributes?: ReadonlyMap<string, ItemAttributes | null>
  /** [N, d], rows of unit length */
  readonly factors: Float32Array
  /** [N, d] */
  readonly quantized: Int8Array
  /** [N] */
  readonly scales: Float32Array
  /** [N, K]; `NO_ITEM` where a row has fewer */
  readonly srItems: Uint32Array
  /** [N, K] */
  readonly srScores: Uint8Array
  /** [N] */
  readonly srScales: Float32Array
  /** [N], over all targets, not only the K kept */
  readonly srSums: Float32Array
  /** [N], decayed counts */
  readonly popularity: Float32Array
  /** [N], counts of the newest time only */
  readonly trend: Float32Array
  /** Absent where the trainer keeps no such table. */
  readonly together?: TogetherTable
  /** Weights of the standard encoder and ranker by name; undefined for bring-your-own models. */
  readonly weights: ReadonlyMap<string, Tensor> | undefined
}

/**
 * Files → views, every shape checked against the manifest.
 *
 * @throws {ArtifactError} `ARTIFACT_MALFORMED`, `ARTIFACT_SHAPE_MISMATCH`
 */
export function readModel(
  manifest: Manifest,
  files: {
    readonly factors: Uint8Array
    readonly tables: Uint8Array
    readonly items: Uint8Array
    readonly weights?: Uint8Array
  },
): ModelData {
  const { items: n, dim, neighbours: k } = manifest
  const factors = readSafetensors(files.factors)
  const tables = readSafetensors(files.tables)
  const together = readTogether(tables, n)
  const { ids, attributes } = parseItems(files.items, n)
  return {
    ids,
    ...(attributes && { attributes }),
    factors: finite('factors', take('factors', factors, 'factors', Float32Array, [n, dim])),
    quantized: take('factors', factors, 'quantized', Int8Array, [n, dim]),
    scales: finite('scales', take('factors', factors, 'scales', Float32Array, [n])),
    srItems: checkTargets(take('tables', tables, 'sr_items', Uint32Array, [n, k]), n),
    srScores: take('tables', tables, 'sr_scores', Uint8Array, [n, k]),
    srScales: finite('sr_scales', take('tables', tables, 'sr_scales', Float32Array, [n])),
    srSums: finite('sr_sums', take('tables', tables, 'sr_sums', Float32Array, [n])),
    popularity: finite('popularity', take('tables', tables, 'popularity', Float32Array, [n])),
    trend: finite('trend', take('tables', tables, 'trend', Float32Array, [n])),
    ...(together && { together }),
    weights: files.weights === undefined ? undefined : readSafetensors(files.weights),
  }
}

function readTogether(tables: ReadonlyMap<string, Tensor>, n: number): TogetherTable | undefined {
  const width = tables.get('bt_items')?.shape[1]
  if (width === undefined || width < 1) return undefined
  return {
    width,
    items: checkTargets(take('tables', tables, 'bt_items', Uint32Array, [n, width]), n),
    scores: take('tables', tables, 'bt_scores', Uint8Array, [n, width]),
    scales: finite('bt_scales', take('tables', tables, 'bt_scales', Float32Array, [n])),
  }
}

/** Tensors of the table, for the `tables` file; the inverse of what {@link readModel} does with them. */
export function togetherTensors({ width, items, scores, scales }: TogetherTable): Record<string, Tensor> {
  const n = scales.length
  return {
    bt_items: { shape: [n, width], data: items },
    bt_scores: { shape: [n, width], data: scores },
    bt_scales: { shape: [n], data: scales },
  }
}

/**
 * A named tensor of a file, of exactly this type and shape.
 *
 * @throws {ArtifactError} `ARTIFACT_SHAPE_MISMATCH`
 */
export function take<Data extends TensorData>(
  file: string,
  tensors: ReadonlyMap<string, Tensor>,
  name: string,
  type: new (n: 0) => Data,
  shape: readonly number[],
): Data {
  const tensor = tensors.get(name)
  if (!(tensor?.data instanceof type) || tensor.shape.join() !== shape.join()) {
    const received =
      tensor === undefined ? 'nothing' : `${tensor.data.constructor.name} [${tensor.shape.join(', ')}]`
    throw new ArtifactError(
      'ARTIFACT_SHAPE_MISMATCH',
      `${file}, tensor ${name}: expected ${type.name} [${shape.join(', ')}], received ${received}`,
    )
  }
  return tensor.data
}

function parseItems(bytes: Uint8Array, n: number): Pick<ModelData, 'ids' | 'attributes'> {
  let input: unknown
  try {
    input = JSON.parse(new TextDecoder().decode(bytes))
  } catch (cause) {
    throw new ArtifactError('ARTIFACT_MALFORMED', 'items: not JSON', { cause })
  }
  const { ids, attributes } = (input ?? {}) as Record<string, unknown>
  if (!Array.isArray(ids) || !ids.every((id) => typeof id === 'string' && id.length > 0)) {
    throw new ArtifactError('ARTIFACT_MALFORMED', `items.ids: expected strings, received ${describe(ids)}`)
  }
  const known = new Set<string>(ids)
  if (ids.length !== n || known.size !== n) {
    throw new ArtifactError(
      'ARTIFACT_SHAPE_MISMATCH',
      `items.ids: expected ${n} different ids, received ${known.size} of ${ids.length}`,
    )
  }
  if (attributes === undefined) return { ids: ids as string[] }
  const catalogue = readCatalogue(attributes, 'items.attributes')
  for (const id of catalogue.keys()) {
    if (!known.has(id)) {
      throw new ArtifactError('ARTIFACT_MALFORMED', `items.attributes: ${describe(id)} is not in items.ids`)
    }
  }
  return { ids: ids as string[], attributes: catalogue }
}

function finite(name: string, values: Float32Array): Float32Array {
  for (let index = 0; index < values.length; index++) {
    if (!Number.isFinite(values[index])) {
      throw new ArtifactError('ARTIFACT_MALFORMED', `tensor ${name}: element ${index} is ${values[index]}`)
    }
  }
  return values
}
