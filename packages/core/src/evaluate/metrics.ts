/** Sums over queries of what each contributes; divide by `queries`. */
export interface RankingTotals {
  queries: number
  hits: number
  reciprocalRanks: number
  /** With one relevant item the ideal gain is 1, so NDCG is 1 / log2(1 + rank). */
  gains: number
}

export interface RankingMetrics {
  readonly queries: number
  /** Share of queries whose target is among the first k. */
  readonly hr: number
  /** Mean of 1/rank, 0 past k. */
  readonly mrr: number
  readonly ndcg: number
}

export function emptyTotals(): RankingTotals {
  return { queries: 0, hits: 0, reciprocalRanks: 0, gains: 0 }
}

/** Counts one query whose single relevant item is `target`. Only the first `k` of the list count. */
export function addQuery<Id>(totals: RankingTotals, list: readonly Id[], target: Id, k: number): void {
  totals.queries++
  const place = list.indexOf(target)
  if (place < 0 || place >= k) return
  totals.hits++
  totals.reciprocalRanks += 1 / (place + 1)
  totals.gains += 1 / Math.log2(place + 2)
}

/** HR@k, MRR@k and NDCG@k of one relevant item a query; zeros without queries. */
export function metrics({ queries, hits, reciprocalRanks, gains }: RankingTotals): RankingMetrics {
  const mean = (sum: number) => (queries === 0 ? 0 : sum / queries)
  return { queries, hr: mean(hits), mrr: mean(reciprocalRanks), ndcg: mean(gains) }
}
