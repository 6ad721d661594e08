import { HISTORY_KINDS, type Random } from '@attune/core'
import {
  deltaTensors,
  joinDelta,
  sha256Hex,
  writeSafetensors,
  type DeltaContent,
  type DeltaHeader,
  type FileRole,
  type Golden,
  type Manifest,
  type ModelData,
  type Tensor,
} from '@attune/core/artifact'
import {
  CandidateSet,
  CONTEXT,
  coreEngine,
  encoderInput,
  FEATURES,
  rankHistory,
  rankerInput,
  readWeights,
  ServingModel,
  toRows,
  TypeScriptScanner,
  weightTensors,
  type RankEngine,
  type StandardWeights,
} from '@attune/core/rank'
import { buildRandomModel } from '@attune/core/testing'
import { CompactSign, exportJWK, generateKeyPair, type CryptoKey } from 'jose'
import type { VerifyKey } from '../config.ts'
import { encoderGraph, rankerGraph } from './graphs.ts'

/** A trainer's key pair, made for a test. */
export interface TestSigner {
  readonly publicKey: VerifyKey
  sign(payload: unknown, type: string): Promise<string>
}

export async function createSigner(kid = 'test'): Promise<TestSigner> {
  const { publicKey, privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true })
  const { x = '' } = await exportJWK(publicKey)
  return {
    publicKey: { kty: 'OKP', crv: 'Ed25519', x, kid },
    sign: (payload, type) => sign(privateKey, payload, type, kid),
  }
}

function sign(key: CryptoKey, payload: unknown, typ: string, kid: string): Promise<string> {
  return new CompactSign(new TextEncoder().encode(JSON.stringify(payload)))
    .setProtectedHeader({ alg: 'EdDSA', typ, kid })
    .sign(key)
}

export interface TestArtifact {
  readonly manifest: Manifest
  readonly files: ReadonlyMap<FileRole, Uint8Array>
  /** What the factors and tables hold, for expected values. */
  readonly data: ModelData
}

export interface ArtifactOptions {
  readonly items: number
  readonly epoch: number
  readonly neighbours?: number
  readonly golden?: number
  /** Instead of random ones. */
  readonly weights?: StandardWeights
  /** Graphs of somebody's own, without weights, and what they should compute. */
  readonly own?: { readonly encoder: Uint8Array; readonly ranker: Uint8Array; readonly engine: RankEngine }
}

/** A well-formed epoch of random numbers: real ONNX graphs, golden vectors by core's TypeScript. */
export async function buildArtifact(random: Random, options: ArtifactOptions): Promise<TestArtifact> {
  const { manifest: bare, data: drawn } = buildRandomModel(random, { neighbours: 20, ...options })
  const chosen = options.weights && new Map(Object.entries(weightTensors(options.weights)))
  const data = { ...drawn, ...(chosen && { weights: chosen }) }
  const weights = readWeights(data.weights ?? new Map(), bare.dim, bare.historyLength)
  const files = new Map<FileRole, Uint8Array>()
  const { items: n, dim: d, neighbours: k } = bare
  const tensor = (shape: number[], values: Tensor['data']): Tensor => ({ shape, data: values })
  files.set(
    'factors',
    writeSafetensors({
      factors: tensor([n, d], data.factors),
      quantized: tensor([n, d], data.quantized),
      scales: tensor([n], data.scales),
    }),
  )
  files.set(
    'tables',
    writeSafetensors({
      sr_items: tensor([n, k], data.srItems),
      sr_scores: tensor([n, k], data.srScores),
      sr_scales: tensor([n], data.srScales),
      sr_sums: tensor([n], data.srSums),
      popularity: tensor([n], data.popularity),
      trend: tensor([n], data.trend),
    }),
  )
  files.set('items', new TextEncoder().encode(JSON.stringify({ ids: data.ids })))
  const { own } = options
  if (own === undefined) files.set('weights', writeSafetensors(Object.fromEntries(data.weights ?? [])))
  files.set('encoder', own?.encoder ?? encoderGraph(weights))
  files.set('ranker', own?.ranker ?? rankerGraph(weights, FEATURES, CONTEXT))
  const engine = own?.engine ?? coreEngine(weights)
  files.set(
    'golden',
    new TextEncoder().encode(JSON.stringify(await goldenOf(random, bare, data, engine, options.golden ?? 8))),
  )
  return { manifest: { ...bare, files: await namesOf(files) }, files, data }
}

/** The manifest's list of files, of these bytes. */
export async function namesOf(files: ReadonlyMap<FileRole, Uint8Array>): Promise<Manifest['files']> {
  const entries = await Promise.all(
    [...files].map(
      async ([role, bytes]) => [role, { sha256: await sha256Hex(bytes), bytes: bytes.length }] as const,
    ),
  )
  return Object.fromEntries(entries)
}

async function goldenOf(
  random: Random,
  manifest: Manifest,
  data: ModelData,
  engine: RankEngine,
  count: number,
): Promise<Golden> {
  const copy: ModelData = { ...data, factors: data.factors.slice() }
  const model = new ServingModel(manifest, copy, (dim, capacity) => new TypeScriptScanner(dim, capacity))
  const scratch = new CandidateSet()
  const golden = {
    encoder: [] as Golden['encoder'][number][],
    ranker: [] as Golden['ranker'][number][],
    rank: [] as Golden['rank'][number][],
  }
  for (let vector = 0; vector < count; vector++) {
    const length = 1 + (vector % 7)
    const steps = Array.from({ length }, (_, index) => ({
      item: data.ids[Math.floor(random() * data.ids.length)] ?? '',
      kind: Math.floor(random() * HISTORY_KINDS.length),
      age: (length - 1 - index) * 0.25,
    }))
    const items = steps.map((step) => step.item)
    const rows = {
      rows: items.map((id) => model.rowOf(id) ?? 0),
      kinds: steps.map((step) => step.kind),
      ages: steps.map((step) => step.age),
      visitStart: 0,
    }
    const query = await engine.encode(encoderInput(model, rows))
    golden.encoder.push({ items, kinds: rows.kinds, ages: rows.ages, query: [...query] })
    const history = steps.map(({ item, kind, age }) => ({
      item,
      kind: HISTORY_KINDS[kind] ?? 'click',
      at: 1e12 - age * 3_600_000,
    }))
    const plain = toRows(
      model,
      items.map((item) => ({ item, kind: 'click' as const, at: 1e12 })),
    )
    const input = await rankerInput(model, plain, engine, [0, 1, 2, 3, 4, 5, 6, 7], [], scratch)
    const features = Array.from({ length: input.count }, (_, row) => [
      ...input.features.subarray(row * FEATURES, (row + 1) * FEATURES),
    ])
    golden.ranker.push({
      items,
      candidates: Array.from(input.rows, (row) => data.ids[row] ?? ''),
      features,
      context: [...input.context],
      scores: [...(await engine.score(input))],
    })
    const ranked = await rankHistory(model, { history, k: 20 }, engine, scratch)
    golden.rank.push({ history: steps, top: ranked.rows.map((row) => data.ids[row] ?? '') })
  }
  return golden
}

/** A signed delta as it goes over the wire. */
export async function buildDelta(
  signer: TestSigner,
  manifest: Pick<Manifest, 'epoch' | 'dim' | 'neighbours'>,
  delta: number,
  content: DeltaContent,
  change: Partial<DeltaHeader> = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const tensors = writeSafetensors(deltaTensors(content, manifest.dim, manifest.neighbours))
  const header: DeltaHeader = {
    format: 1,
    epoch: manifest.epoch,
    delta,
    through: null,
    created: '2026-01-01T00:00:00.000Z',
    sha256: await sha256Hex(tensors),
    bytes: tensors.length,
    items: [],
    ...change,
  }
  return joinDelta(await signer.sign(header, 'attune-delta+jws'), tensors)
}
