import { CHARGES, EVENTS_A_BATCH } from '../plan/charges.ts'
import { BREAK_EVEN, plan as planFor, POD_REQUESTS, type Plan } from '../plan/plan.ts'
import { CliError, required, textOf, type Arguments, type Command } from './command.ts'

/** `attune plan --events-per-day N --ranks-per-day N --items N` */
export const plan: Command = {
  summary: 'say what a day’s traffic needs: RU/s, autoscale or manual, pods, requests, cost',
  usage:
    'attune plan --events-per-day N --ranks-per-day N --items N [options]\n' +
    '  --peak-hour 3      busiest hour against the mean one\n' +
    '  --burst 1.5        busiest second of an hour against its mean\n' +
    '  --batches 5        batches a visitor has when asking for a list, on average\n' +
    '  --recent-share 0   share of lists asked with history "recent", which reads nothing\n' +
    '  --decisions 0      share of lists kept in the container decisions (ATTUNE_DECISIONS)\n' +
    '  --retention-days 90   how long events are kept\n' +
    '  --ranges N         physical partitions of the events container (one for each 10,000 RU/s or 50 GB)\n' +
    '  --price-ru-hour P        100 RU/s of manual throughput for an hour, in your currency and region\n' +
    '  --price-gb-month P       a GB stored for a month\n' +
    '  --price-node-month P     a node for a month\n' +
    '  --price-worker-million P a million Worker requests\n' +
    'RU come from the meter of the local Cosmos (`npm run bench -- ru`). There are no prices in here: look them up.',
  options: {
    'events-per-day': { type: 'string' },
    'ranks-per-day': { type: 'string' },
    items: { type: 'string' },
    'peak-hour': { type: 'string' },
    burst: { type: 'string' },
    batches: { type: 'string' },
    'recent-share': { type: 'string' },
    decisions: { type: 'string' },
    'retention-days': { type: 'string' },
    ranges: { type: 'string' },
    'price-ru-hour': { type: 'string' },
    'price-gb-month': { type: 'string' },
    'price-node-month': { type: 'string' },
    'price-worker-million': { type: 'string' },
  },
  run(args, terminal) {
    for (const option of ['events-per-day', 'ranks-per-day', 'items']) required(args, terminal, option)
    const number = (option: string, otherwise: number, min: number, max = Infinity) =>
      numberOf(args, option, min, max) ?? otherwise
    const ranges = numberOf(args, 'ranges', 1, 10_000)
    const price = (option: string) => numberOf(args, option, 0, Infinity)
    const [ruHour, gbMonth] = [price('price-ru-hour'), price('price-gb-month')]
    const [nodeMonth, workerMillion] = [price('price-node-month'), price('price-worker-million')]
    const result = planFor({
      eventsPerDay: number('events-per-day', 0, 0),
      ranksPerDay: number('ranks-per-day', 0, 0),
      items: number('items', 1, 1),
      peakHour: number('peak-hour', 3, 1, 24),
      burst: number('burst', 1.5, 1),
      batches: number('batches', 5, 0),
      recentShare: number('recent-share', 0, 0, 1),
      decisions: number('decisions', 0, 0, 1),
      retentionDays: number('retention-days', 90, 1),
      ...(ranges !== undefined && { ranges }),
      prices: {
        ...(ruHour !== undefined && { ruHour }),
        ...(gbMonth !== undefined && { gbMonth }),
        ...(nodeMonth !== undefined && { nodeMonth }),
        ...(workerMillion !== undefined && { workerMillion }),
      },
    })
    return Promise.resolve({ result: { ...result }, lines: lines(result) })
  },
}

/** @throws {CliError} `USAGE` */
function numberOf(args: Arguments, option: string, min: number, max: number): number | undefined {
  const text = textOf(args, option)
  if (text === undefined) return undefined
  const value = Number(text)
  if (text.trim() !== '' && value >= min && value <= max && Number.isFinite(value)) return value
  const range = max === Infinity ? `from ${min}` : `from ${min} to ${max}`
  throw new CliError('USAGE', `--${option}: expected a number ${range}, received ${text}`)
}

function plural(count: number, word: string): string {
  return `${count.toLocaleString('en')} ${word}${count === 1 ? '' : 's'}`
}

function lines(result: Plan): string[] {
  const { ruPerSecond, autoscale, manual } = result
  const whole = (value: number) => Math.round(value).toLocaleString('en')
  const money = (value: number | undefined) => (value === undefined ? '' : `, ${value.toFixed(2)} a month`)
  const costs = Object.entries(result.costs).map(([name, cost]) => `  ${name.padEnd(18)}${cost.toFixed(2)}`)
  return [
    `Cosmos, mean ${whole(result.meanRu)} RU/s, peak ${whole(result.peakRu)} RU/s:`,
    `  writes of batches ${ruPerSecond.writes.toFixed(1)} RU/s (${EVENTS_A_BATCH} events each, ${CHARGES.batch} RU)`,
    `  histories for lists ${ruPerSecond.lists.toFixed(1)} RU/s`,
    `  the bridge reading the feed ${ruPerSecond.feed.toFixed(1)} RU/s`,
    ...(ruPerSecond.decisions > 0 ? [`  decisions ${ruPerSecond.decisions.toFixed(1)} RU/s`] : []),
    `  ${whole(result.storageGb)} GB of events in ${plural(result.ranges, 'partition')}`,
    `  autoscale, maximum ${whole(autoscale.setRu)}: bills like ${whole(autoscale.billedRu)} RU/s${money(autoscale.monthly)}`,
    `  manual, ${whole(manual.setRu)}: bills ${whole(manual.billedRu)} RU/s${money(manual.monthly)}`,
    `  ${result.cheaper} is cheaper: average use ${(100 * result.averageUse).toFixed(0)} %, break-even ${Math.floor(100 * BREAK_EVEN)} %`,
    `Edges on AKS: ${plural(result.edgePods, 'pod')} at ${POD_REQUESTS} requests a second each (a first guess; measure yours), ${plural(result.nodes, 'node')} of 4 cores with the bridge; ${whole(result.edgeMemoryMb)} MB a pod`,
    `Edges on Workers: ${whole(result.workerRequestsPerMonth)} requests a month`,
    ...(result.monthly === undefined
      ? [
          'For a cost, give prices: --price-ru-hour, --price-gb-month, --price-node-month, --price-worker-million',
        ]
      : [
          `Cost a month, ${result.cheaper} throughput:`,
          ...costs,
          `  ${'together'.padEnd(18)}${result.monthly.toFixed(2)}`,
          ...(result.missingPrices.length === 0
            ? []
            : [`  not in it, no price given: ${result.missingPrices.map((name) => `--${name}`).join(', ')}`]),
        ]),
  ]
}
