import type { ModelsResponse, ServingState } from '@attune/core'
import * as v from 'valibot'
import { delta, epoch, flag, many, oneOf, text, whole } from './fields.ts'
import { may, object, says } from './object.ts'
import { engine } from './rank.ts'

export const MAX_MANIFEST_BYTES = 1_000_000
/** A Worker has 128 MB in all; a larger artifact belongs on Node. */
export const MAX_DELTA_BYTES = 32_000_000

/** What an edge serves now, as pushes answer. */
export interface Acknowledged {
  readonly epoch: number
  readonly delta: number
  readonly through: string | null
}

export interface HealthResponse {
  readonly ok: boolean
  readonly host: 'node' | 'workerd'
  readonly epoch: number | null
  readonly delta: number | null
  readonly engine: ServingState['engine']
}

export interface ReadyResponse {
  readonly ready: boolean
  readonly missing: readonly string[]
  readonly degraded: readonly string[]
}

const through = says(
  v.nullable(v.string()),
  'Session token up to which clicks are contained; null before the first delta',
)

export const acknowledged: v.GenericSchema<Acknowledged> = object<Acknowledged>({ epoch, delta, through })

const servingState: v.GenericSchema<ServingState> = object<ServingState>({
  epoch,
  delta,
  through,
  created: v.string(),
  swappedAt: v.string(),
  items: whole(0),
  engine,
})

export const modelsResponse: v.GenericSchema<ModelsResponse> = object<ModelsResponse>({
  serving: v.nullable(servingState),
  epochs: many(epoch),
  gate: may(says(v.record(v.string(), v.unknown()), 'What the serving epoch’s manifest says of its worth')),
})

export const fileResponse: v.GenericSchema<{ sha256: string; bytes: number }> = object<{
  sha256: string
  bytes: number
}>({ sha256: text(64, 64), bytes: whole(0) })

export const healthResponse: v.GenericSchema<HealthResponse> = object<HealthResponse>({
  ok: flag,
  host: oneOf(['node', 'workerd']),
  epoch: v.nullable(epoch),
  delta: v.nullable(delta),
  engine,
})

export const readyResponse: v.GenericSchema<ReadyResponse> = object<ReadyResponse>({
  ready: flag,
  missing: says(many(v.string()), 'What this process needs before it can answer a rank'),
  degraded: says(
    many(v.string()),
    'What does not work though lists go on: COSMOS_UNAVAILABLE, COSMOS_KEY_REFUSED, COSMOS_WRITE_FORBIDDEN (the account takes writes in no region this edge may use), COSMOS_REGION_UNKNOWN (a setting names a region the account does not have)',
  ),
})
