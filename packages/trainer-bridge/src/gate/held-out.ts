import { sliceVisits, type TrainingData } from '../train/data.ts'

/** Newest share of visits that a new epoch is not trained on, but judged by. */
export const HELD_OUT_SHARE = 0.02
const MIN_VISITS = 20
/** Never more than this share, however few visits there are. */
const MAX_SHARE = 0.25

/** How many of the newest visits are held out. */
export function heldOutVisits(data: TrainingData, share: number = HELD_OUT_SHARE): number {
  const visits = data.offsets.length - 1
  return Math.min(Math.floor(visits * MAX_SHARE), Math.max(MIN_VISITS, Math.round(visits * share)))
}

/** The newest visits. */
export function heldOutOf(data: TrainingData, share?: number): TrainingData {
  const visits = data.offsets.length - 1
  return sliceVisits(data, visits - heldOutVisits(data, share), visits)
}
