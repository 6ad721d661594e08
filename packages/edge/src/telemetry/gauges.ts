import type { GaugeName } from '../metrics.ts'
import type { Models } from '../models/models.ts'
import type { Freshness } from './freshness.ts'

/** What this process serves and how old it is, at this moment. */
export function gaugesOf(
  models: Pick<Models, 'serving' | 'changedAt'>,
  freshness: Freshness,
  now: number,
): Readonly<Record<GaugeName, number>> {
  const { serving, changedAt } = models
  freshness.serves(serving?.through ?? null, changedAt)
  return {
    attune_epoch: serving?.epoch ?? 0,
    attune_delta: serving?.delta ?? 0,
    attune_items: serving?.items ?? 0,
    attune_epoch_age_seconds: serving === null ? 0 : (now - Date.parse(serving.swappedAt)) / 1_000,
    attune_last_delta_age_seconds: (now - changedAt) / 1_000,
    attune_freshness_lag_seconds: freshness.lagMs(now) / 1_000,
  }
}
