import { HISTORY_KINDS, type TrackedEvent } from '@attune/core'
import type { TrainingData } from '../train/data.ts'
import type { TrainedModel } from '../train/trained-model.ts'
import type { StoredBatch } from '../windows.ts'
import { LiveModel } from './live-model.ts'

const VISITS_A_STEP = 20
/** Between two visits and two clicks whose times are not known. */
const VISIT_MS = 1_000

/** A visit as the batch a browser would have sent. */
export function storedVisit(data: TrainingData, visit: number): StoredBatch {
  const { ids, rows, kinds, times } = data
  const [begin, end] = [data.offsets[visit]!, data.offsets[visit + 1]!]
  const events = Array.from({ length: end - begin }, (_, step): TrackedEvent => ({
    id: `${visit}-${step}`,
    kind: kindOf(kinds?.[begin + step] ?? 0),
    item: ids[rows[begin + step]!] ?? '',
    at: times?.[begin + step] ?? visit * VISIT_MS + step,
  }))
  const received = events.at(-1)?.at ?? 0
  return { id: `${visit}`, visitor: `${visit}`, received, events }
}

/** The model after a bridge has read these visits: exact counts, refreshed factors, new items. */
export function takeIn(model: TrainedModel, visits: TrainingData): TrainedModel {
  const live = new LiveModel(model)
  const count = visits.offsets.length - 1
  for (let from = 0; from < count; from += VISITS_A_STEP) {
    const batches = Array.from({ length: Math.min(VISITS_A_STEP, count - from) }, (_, index) =>
      storedVisit(visits, from + index),
    )
    const seq = live.seq + 1
    live.apply({ seq, at: 0, pages: [{ range: '-FF', continuation: null, through: null, batches }] })
  }
  return { ...live.snapshot(), metrics: model.metrics }
}

function kindOf(index: number): TrackedEvent['kind'] {
  const kind = HISTORY_KINDS[index] ?? 'click'
  return kind === 'custom' ? 'custom:visit' : kind
}
