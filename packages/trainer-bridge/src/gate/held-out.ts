import { createHash } from 'node:crypto'
import type { Manifest } from '@attune/core/artifact'
import { BridgeError } from '../error.ts'
import { sliceVisits, type TrainingData } from '../train/data.ts'

/** Newest share of visits that a new epoch is not trained on, but judged by. */
export const HELD_OUT_SHARE = 0.02
const MIN_VISITS = 20
/** Never more than this share, however few visits there are. */
const MAX_SHARE = 0.25
/** Visits that tell one place of a log from another. */
const MARK_VISITS = 8

export interface HeldOut {
  readonly visits: TrainingData
  /** The serving epoch was trained on them: there are too few newer ones. */
  readonly seen: boolean
}

/** Digest of the newest visits up to `end`: where a log that has grown since was when an epoch was trained on it. */
export function markOf(data: TrainingData, end: number = data.offsets.length - 1): string {
  const hash = createHash('sha256')
  const { ids, offsets, rows } = data
  for (let visit = Math.max(0, end - MARK_VISITS); visit < end; visit++) {
    for (let at = offsets[visit]!; at < offsets[visit + 1]!; at++) hash.update(`${ids[rows[at]!] ?? ''} `)
    hash.update('\n')
  }
  return hash.digest('hex').slice(0, 32)
}

/** How many of the visits an epoch has been trained on, as its mark says; 0 when it was another log, or tells none. */
export function visitsSeen(data: TrainingData, gate: Manifest['gate']): number {
  const mark = gate?.['newest']
  if (typeof mark !== 'string') return 0
  for (let end = data.offsets.length - 1; end > 0; end--) if (markOf(data, end) === mark) return end
  return 0
}

/**
 * The newest visits, out of those the serving epoch has not been trained on where these suffice.
 *
 * @param share - of all visits
 */
export function heldOutOf(
  data: TrainingData,
  serving: Manifest['gate'],
  share: number = HELD_OUT_SHARE,
): HeldOut {
  const all = data.offsets.length - 1
  const wanted = Math.min(Math.floor(all * MAX_SHARE), Math.max(MIN_VISITS, Math.round(all * share)))
  const unseen = all - visitsSeen(data, serving)
  const seen = unseen < Math.min(MIN_VISITS, wanted)
  return { visits: sliceVisits(data, all - (seen ? wanted : Math.min(wanted, unseen)), all), seen }
}

/**
 * The same for an epoch that has been trained already: visits that neither has been trained on.
 *
 * @throws {BridgeError} `GATE_DATA_SEEN` when the candidate was trained on the newest of them
 */
export function unseenBy(
  data: TrainingData,
  candidate: Manifest['gate'],
  serving: Manifest['gate'],
  share?: number,
): HeldOut {
  const all = data.offsets.length - 1
  const trained = visitsSeen(data, candidate)
  if (all - trained < MIN_VISITS) {
    throw new BridgeError(
      'GATE_DATA_SEEN',
      `gate: expected at least ${MIN_VISITS} visits newer than those the epoch was trained on, received ${all - trained}; give newer ones, or compare while training: \`attune train --against DIR\``,
    )
  }
  const { visits, seen } = heldOutOf(data, serving, share)
  const count = Math.min(visits.offsets.length - 1, all - trained)
  return { visits: sliceVisits(data, all - count, all), seen }
}
