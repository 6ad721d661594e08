import { BYTES_A_BATCH, CHARGES, EMPTY_READS_A_SECOND, EVENTS_A_BATCH, MAX_BATCHES_READ } from './charges.ts'

export interface PlanInput {
  readonly eventsPerDay: number
  readonly ranksPerDay: number
  readonly items: number
  /** The busiest hour against the mean hour. */
  readonly peakHour: number
  /** The busiest second of an hour against that hour's mean. */
  readonly burst: number
  /** Mean batches a visitor has when asking for a list. */
  readonly batches: number
  /** Share of lists that are asked with `history: "recent"`, which reads nothing. */
  readonly recentShare: number
  /** Share of lists kept in `decisions`. */
  readonly decisions: number
  readonly retentionDays: number
  /** Physical partitions; as many as throughput and storage make Cosmos split into, when absent. */
  readonly ranges?: number
  readonly prices: Prices
}

/** In any currency; what is not given is not part of the cost. */
export interface Prices {
  /** 100 RU/s of manual throughput for an hour. */
  readonly ruHour?: number
  /** A GB of Cosmos storage for a month. */
  readonly gbMonth?: number
  /** A node of the cluster for a month. */
  readonly nodeMonth?: number
  /** A million requests to Workers. */
  readonly workerMillion?: number
}

export interface Throughput {
  /** What has to be set: the maximum of autoscale, or the fixed RU/s. */
  readonly setRu: number
  /** Mean of what is billed, in RU/s at the manual rate. */
  readonly billedRu: number
  readonly monthly: number | undefined
}

export interface Plan {
  readonly meanRu: number
  readonly peakRu: number
  readonly ruPerSecond: {
    readonly writes: number
    readonly lists: number
    readonly decisions: number
    readonly feed: number
  }
  readonly autoscale: Throughput
  readonly manual: Throughput
  readonly cheaper: 'autoscale' | 'manual'
  /** Mean of what autoscale scales to, as a share of what manual has to provide; autoscale is cheaper below 66 %. */
  readonly averageUse: number
  readonly storageGb: number
  /** Physical partitions of the events container. */
  readonly ranges: number
  readonly edgePods: number
  readonly nodes: number
  readonly edgeMemoryMb: number
  readonly workerRequestsPerMonth: number
  readonly costs: Readonly<Record<string, number>>
  readonly monthly: number | undefined
  readonly missingPrices: readonly string[]
}

const DAY_S = 86_400
const HOURS_A_MONTH = 730
const DAYS_A_MONTH = HOURS_A_MONTH / 24

/** Autoscale moves between a tenth and all of its maximum, bills each hour's highest, at 1.5 times the manual rate. */
const AUTOSCALE_FLOOR = 0.1
const AUTOSCALE_RATE = 1.5
export const BREAK_EVEN: number = 1 / AUTOSCALE_RATE
/** What a physical partition takes before Cosmos splits it, as published. */
const PARTITION_RU = 10_000
const PARTITION_GB = 50
const AUTOSCALE_STEP = 1_000
const MANUAL_STEP = 100
const MANUAL_MIN = 400

/** Requests a second at which deploy's autoscaler adds an edge pod: a first guess, not a measured limit. */
export const POD_REQUESTS = 150
const MIN_PODS = 2
/** What deploy's manifests ask for: an edge pod 0.5 and a bridge 1 core; nodes have 4, of which 3.5 can be had. */
const POD_CORES = 0.5
const BRIDGE_CORES = 1
const NODE_CORES = 3.5
/** An edge process before it holds a model. */
const EDGE_BASE_MB = 150
/** Of one item, in memory: factors twice (int8, float32), 100 neighbours with scores, counts, its id. */
const ITEM_BYTES = 64 + 256 + 500 + 40

/** What a day's traffic needs of Cosmos, pods and Workers. Pure arithmetic; every assumption is in the input or named above. */
export function plan(input: PlanInput): Plan {
  const batches = input.eventsPerDay / EVENTS_A_BATCH
  const reading = input.ranksPerDay * (1 - input.recentShare)
  const list = CHARGES.list + CHARGES.listPerBatch * Math.min(MAX_BATCHES_READ, input.batches)
  const perDay = {
    writes: batches * CHARGES.batch,
    lists: reading * list,
    decisions: input.ranksPerDay * input.decisions * CHARGES.decision,
    feed: batches * CHARGES.feedPerBatch,
  }
  const load = (perDay.writes + perDay.lists + perDay.decisions + perDay.feed) / DAY_S
  const storageGb = (batches * BYTES_A_BATCH * input.retentionDays) / 1e9
  const shares = hourly(input.peakHour).map((share) => load * share * input.burst)
  const ranges =
    input.ranges ??
    Math.max(1, Math.ceil(Math.max(...shares) / PARTITION_RU), Math.ceil(storageGb / PARTITION_GB))
  const idle = ranges * EMPTY_READS_A_SECOND * CHARGES.feedEmpty
  const ruPerSecond = {
    writes: perDay.writes / DAY_S,
    lists: perDay.lists / DAY_S,
    decisions: perDay.decisions / DAY_S,
    feed: perDay.feed / DAY_S + idle,
  }
  const hours = shares.map((ru) => ru + idle)
  const peakRu = Math.max(...hours)

  const maximum = ceil(peakRu, AUTOSCALE_STEP, AUTOSCALE_STEP)
  const scaled = mean(hours.map((ru) => Math.max(AUTOSCALE_FLOOR * maximum, ru)))
  const fixed = ceil(peakRu, MANUAL_STEP, MANUAL_MIN)
  const { prices } = input
  const monthly = (ru: number) =>
    prices.ruHour === undefined ? undefined : (ru / 100) * prices.ruHour * HOURS_A_MONTH
  const autoscale = {
    setRu: maximum,
    billedRu: scaled * AUTOSCALE_RATE,
    monthly: monthly(scaled * AUTOSCALE_RATE),
  }
  const manual = { setRu: fixed, billedRu: fixed, monthly: monthly(fixed) }
  const cheaper = autoscale.billedRu < manual.billedRu ? 'autoscale' : 'manual'

  const requests = (batches + input.ranksPerDay) / DAY_S
  const edgePods = Math.max(MIN_PODS, Math.ceil((requests * input.peakHour * input.burst) / POD_REQUESTS))
  const nodes = Math.ceil((edgePods * POD_CORES + BRIDGE_CORES) / NODE_CORES)
  const workerRequestsPerMonth = (batches + input.ranksPerDay) * DAYS_A_MONTH
  const priced = {
    cosmosThroughput: (cheaper === 'autoscale' ? autoscale : manual).monthly,
    cosmosStorage: prices.gbMonth === undefined ? undefined : storageGb * prices.gbMonth,
    nodes: prices.nodeMonth === undefined ? undefined : nodes * prices.nodeMonth,
    workers:
      prices.workerMillion === undefined ? undefined : (workerRequestsPerMonth / 1e6) * prices.workerMillion,
  }
  const costs = Object.fromEntries(
    Object.entries(priced).filter((entry): entry is [string, number] => entry[1] !== undefined),
  )
  return {
    meanRu: load + idle,
    peakRu,
    ruPerSecond,
    autoscale,
    manual,
    cheaper,
    averageUse: scaled / fixed,
    storageGb,
    ranges,
    edgePods,
    nodes,
    edgeMemoryMb: EDGE_BASE_MB + (input.items * ITEM_BYTES) / 1e6,
    workerRequestsPerMonth,
    costs,
    monthly:
      Object.keys(costs).length === 0 ? undefined : Object.values(costs).reduce((sum, cost) => sum + cost, 0),
    missingPrices: Object.entries({
      'price-ru-hour': prices.ruHour,
      'price-gb-month': prices.gbMonth,
      'price-node-month': prices.nodeMonth,
      'price-worker-million': prices.workerMillion,
    }).flatMap(([name, price]) => (price === undefined ? [name] : [])),
  }
}

/**
 * A day's hours against their mean: a wave whose highest hour is `peak` times the mean and whose lowest is not below 0, so
 * beyond 2 it gets narrower instead of deeper. Its mean is 1.
 */
export function hourly(peak: number): number[] {
  if (peak <= 2)
    return Array.from({ length: 24 }, (_, hour) => 1 + (peak - 1) * Math.cos((hour / 12) * Math.PI))
  const shape = (sharpness: number) => {
    const hours = Array.from(
      { length: 24 },
      (_, hour) => ((1 + Math.cos((hour / 12) * Math.PI)) / 2) ** sharpness,
    )
    const average = mean(hours)
    return hours.map((value) => value / average)
  }
  let [low, high] = [1, 400]
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2
    if ((shape(middle)[0] ?? 0) < peak) low = middle
    else high = middle
  }
  return shape(high)
}

function ceil(value: number, step: number, min: number): number {
  return Math.max(min, Math.ceil(value / step) * step)
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length
}
