import type { Issue } from './error.ts'
import type { EventKind, TrackedEvent } from './event/event.ts'
import type { Expression } from './rules/expression.ts'
import type { HistoryItem } from './event/history.ts'

// Wire protocol version 1: docs/wire-protocol.md.

export const STRATEGIES = [
  'for-you',
  'similar',
  'bought-together',
  'trending',
  'popular',
  'recent',
  'new',
] as const
export type Strategy = (typeof STRATEGIES)[number]

export const MAX_CANDIDATES = 1_000
export const MAX_LIST_LENGTH = 200
export const DEFAULT_LIST_LENGTH = 20

/** What the visitor has said about being remembered. */
export type Consent = 'granted' | 'denied'

export interface EventsRequest {
  readonly batch: string
  readonly visitor: string
  /** Absent: granted, unless the browser sends Global Privacy Control. */
  readonly consent?: Consent
  readonly session?: string
  /** For each tab with numbered events here: the highest number in earlier batches, 0 for none; absent: not known. */
  readonly after?: Readonly<Record<string, number>>
  /** Of tabs that have ended before they brought it: the last number they gave. With it there may be no events. */
  readonly last?: readonly Required<Pick<TrackedEvent, 'tab' | 'seq'>>[]
  readonly events: readonly TrackedEvent[]
}

export interface EventsResponse {
  readonly batch: string
  readonly accepted: number
  readonly rejected: readonly Issue[]
  /** The batch had been stored before; nothing was written now. */
  readonly duplicate: boolean
  readonly session: string
  readonly diagnostics?: { readonly cosmosMs: number; readonly ru: number }
}

export interface VisitorResponse {
  readonly visitor: string
}

export interface RankRequest {
  readonly slot: string
  readonly visitor?: string
  /** `denied`: nothing stored is read, and nothing kept. Absent: granted, unless the browser sends Global Privacy Control. */
  readonly consent?: Consent
  readonly session?: string
  readonly strategy?: Strategy
  /** What `similar` starts from. */
  readonly item?: string
  readonly candidates?: readonly string[]
  readonly k?: number
  readonly exclude?: readonly string[]
  /** Said of attributes; what it is not true of is not in the list. Beside the slot's own filter, not instead of it. */
  readonly filter?: Expression
  readonly recent?: readonly TrackedEvent[]
  readonly history?: 'full' | 'recent'
  /** Also hand out what the page needs to put the list in order by itself. */
  readonly device?: boolean
}

export interface RankedItem {
  readonly id: string
  /** How likely it was to stand here, given what stands above it; only where the slot explores. */
  readonly propensity?: number
  /** null: the model does not know this candidate. */
  readonly score: number | null
  readonly because?: { readonly item: string; readonly kind: EventKind | 'custom' }
}

/** Who computed the scores: ONNX graphs, core's TypeScript, or nobody (lists that need no model of the visitor). */
export type EngineName = 'ort' | 'core' | 'none'

/** Candidates of one list that a page may hold. */
export const MAX_DEVICE_CANDIDATES = 200

/**
 * What a page needs to put a list in order by itself, with core's encoder and ranker: `packDevice`, `scoreOnDevice`.
 * Named as the model's tables, so that reading it takes little code.
 */
export interface DeviceList {
  /** SHA-256 of the epoch's weights: `GET /v1/weights/{sha256}`. */
  readonly weights: string
  /** First the `candidates` of the list, then items of the history; there is data of as many as `popularity` has. */
  readonly ids: readonly string[]
  readonly candidates: number
  readonly popularity: readonly number[]
  readonly trend: readonly number[]
  readonly srScales: readonly number[]
  readonly srSums: readonly number[]
  readonly dim: number
  /** Base64 of F16 `[rows, dim]`. */
  readonly factors: string
  /** Places for sequential rules a row. */
  readonly neighbours: number
  /** Base64 of U8 `[rows, neighbours]`: candidates the rules lead to. */
  readonly srItems: string
  /** Base64 of U8 `[rows, neighbours]`: falling, 0 where there is no rule. */
  readonly srScores: string
  /** What the list was ranked from, oldest first. */
  readonly steps: readonly HistoryItem[]
}

/** Weights of encoder or ranker by name: numbers, and base64 of F16 for matrices. */
export type DeviceWeightsPart = Readonly<Record<string, number | readonly number[] | string>>

/** What `GET /v1/weights/{sha256}` answers. */
export interface DeviceWeights {
  readonly encoder: DeviceWeightsPart
  readonly ranker: DeviceWeightsPart
}

export interface RankDiagnostics {
  readonly historyMs: number
  readonly rankMs: number
  readonly ru: number
  readonly engine: EngineName
  readonly candidates: number
  readonly events: number
}

export interface RankResponse {
  readonly decision: string
  readonly slot: string
  readonly strategy: Strategy
  readonly epoch: number
  readonly delta: number
  /** The stored history was at least as new as the session token asked for. */
  readonly fresh: boolean
  readonly session?: string
  readonly items: readonly RankedItem[]
  readonly device?: DeviceList
  readonly diagnostics?: RankDiagnostics
}

export interface ServingState {
  readonly epoch: number
  readonly delta: number
  /** Session token up to which clicks are contained in what is served; null before the first delta. */
  readonly through: string | null
  readonly created: string
  readonly swappedAt: string
  readonly items: number
  readonly engine: EngineName
}

export interface ModelsResponse {
  readonly serving: ServingState | null
  readonly epochs: readonly number[]
  /** What the serving epoch's manifest says of its worth, unless that is longer than 8 KB. */
  readonly gate?: Readonly<Record<string, unknown>>
}

/** RFC 9457 problem details. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly code: string
  readonly detail: string
  readonly requestId: string
  readonly issues?: readonly Issue[]
}
