import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { parseArgs } from 'node:util'
import { seededRandom } from '@attune/core/testing'
import { LiveModel, type FeedPage } from '@attune/trainer-bridge'
import { randomModel } from './_model.ts'

const NEIGHBOURS = 100
const EVENTS_PER_VISITOR = 8
/** Everybody fills a basket, which no site has: pairs of baskets are as many as they can be, too. */
const IN_BASKET = 2
const VISITORS_A_BATCH = 250
const MEGABYTE = 2 ** 20
/** Visitors leave memory two hours after their last click; at the busiest time twice as many come as on average. */
const SHARE_IN_MEMORY = (2 / 24) * 2

/**
 * `npm run bench -- memory [--items 100000] [--visitors 20000]`: memory of what a bridge that leads keeps: the model by
 * items, and visits and counts by visitors, each after a full garbage collection. Visitors click items at random, most of all
 * the first ones, and put the last two into a basket, so nearly every pair is a new one: counts are as many as they can be.
 */
export async function run(args: string[]): Promise<Record<string, unknown>> {
  const { values } = parseArgs({
    args,
    options: { items: { type: 'string', default: '100000' }, visitors: { type: 'string', default: '20000' } },
  })
  const [items, visitors] = [Number(values.items), Number(values.visitors)]
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const used = () => {
    collect()
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  const before = used()
  const live = new LiveModel(randomModel(items, 7, NEIGHBOURS))
  const model = used() - before
  const random = seededRandom(5)
  const at = Date.now()
  for (let first = 0, seq = 1; first < visitors; first += VISITORS_A_BATCH, seq++) {
    live.apply({
      seq,
      at,
      pages: [page(first, Math.min(VISITORS_A_BATCH, visitors - first), items, at, random)],
    })
    if (seq % 20 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  const clicked = used() - before - model
  const { pairs } = live.counts.state()
  const windows = JSON.stringify(live.state().windows).length
  if (live.openVisitors !== visitors)
    throw new Error(`${live.openVisitors} of ${visitors} visitors are in memory`)
  const perVisitor = clicked / visitors
  return {
    bench: 'memory',
    items,
    visitors,
    model_mb: Number((model / MEGABYTE).toFixed(1)),
    model_mb_per_100k_items: Number(((model / MEGABYTE / items) * 100_000).toFixed(1)),
    bytes_per_open_visitor: Math.round(perVisitor),
    checkpoint_bytes_per_open_visitor: Math.round(windows / visitors),
    pairs: pairs.length / 3,
    mb_at_1m_daily_visitors: Math.round((perVisitor * 1_000_000 * SHARE_IN_MEMORY) / MEGABYTE),
  }
}

function page(first: number, count: number, items: number, at: number, random: () => number): FeedPage {
  return {
    range: '-FF',
    continuation: null,
    through: null,
    batches: Array.from({ length: count }, (_, index) => ({
      id: `0190aaaa-bbbb-7ccc-8ddd-${String(first + index).padStart(12, '0')}`,
      visitor: `shop:${String(first + index).padStart(22, 'v')}`,
      received: at,
      events: Array.from({ length: EVENTS_PER_VISITOR }, (_unused, step) => ({
        id: `0190aaaa-bbbb-7ccc-${String(step).padStart(4, '8')}-${String(first + index).padStart(12, '0')}`,
        kind: step < EVENTS_PER_VISITOR - IN_BASKET ? ('click' as const) : ('add-to-cart' as const),
        item: `item-${Math.floor(random() ** 2 * items)}`,
        at: at - (EVENTS_PER_VISITOR - step) * 1_000,
      })),
    })),
  }
}
