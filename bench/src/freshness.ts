import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { covers, parseSessionToken, VISIT_GAP_MS, type HistoryItem, type RankResponse } from '@attune/core'
import { parseDeltaHeader, splitDelta, type DeltaHeader } from '@attune/core/artifact'
import { CandidateSet, coreEngine, rankHistory, type ServingModel } from '@attune/core/rank'
import { seededRandom } from '@attune/core/testing'
import { startWorkerdEdge } from '@attune/edge/workerd'
import { modelOf, nodeScanner, servingModel, startMember, type Member } from '@attune/trainer-bridge'
import { startHouse, until } from './_loop.ts'
import { simulatedVisits } from './_model.ts'
import { sustain } from './_sustained.ts'
import { trainedOn } from './_train.ts'
import { models, Visitor } from './_visitor.ts'

const ITEMS = 3_000
const BRIDGES = 2
const GROUPS = 100
const VISITS = 12_000
/** Co-clicks of an item nobody has seen before it has to be recommended, and how long that may take. */
const CO_CLICKS = 20
const NEW_ITEM_MS = 5_000
const LIST = 20
const POLL_MS = 20
/** Scores of ORT and core agree to this; within it two items may stand either way round. */
const TIE = 1e-4
const MAX_PAIR_DISTANCE = 10

interface Sample {
  readonly item: string
  readonly session: string
  readonly stored: number
  readonly before: readonly HistoryItem[]
  readonly after: readonly HistoryItem[]
  readonly answer: RankResponse
  /** When each edge was first seen to contain the click; and the delta it then served. */
  readonly seen: { at: number; delta: number }[]
}

interface Applied {
  readonly header: DeltaHeader
  readonly tensors: Uint8Array
}

/**
 * `npm run bench -- freshness [--clicks 500] [--background 50] [--events 40000]`, with two bridges and two edges: clicks stored by one edge process, ranked by the other,
 * and the time until both serve a delta that contains them, while other visitors click so many times a second. Every claim
 * is checked against core and the deltas themselves. Then an item nobody has seen is clicked beside another, and the time
 * is taken until visitors of that other one are shown it. At last `events` are stored as fast as they can be, and taken in.
 */
export async function run(args: string[]): Promise<Record<string, unknown>> {
  const { values } = parseArgs({
    args,
    options: {
      clicks: { type: 'string', default: '500' },
      background: { type: 'string', default: '50' },
      events: { type: 'string', default: '40000' },
    },
  })
  const fresh = await measureFreshness(Number(values.clicks), Number(values.background))
  const sustained = await sustain({ bridges: BRIDGES, edges: 2, events: Number(values.events) })
  return {
    ...fresh,
    bridges: BRIDGES,
    sustained_events_per_s: sustained.perSecond,
    sustained_lag_p95_s: sustained.lagP95,
    bridge_rss_mb: sustained.rssMb,
  }
}

async function measureFreshness(clicks: number, perSecond: number): Promise<Record<string, unknown>> {
  const initial = modelOf((await trainedOn(simulatedVisits(ITEMS, GROUPS, VISITS))).artifact)
  const house = await startHouse(2, startWorkerdEdge)
  try {
    const base = servingModel(structuredClone(initial), nodeScanner)
    const deltas: Applied[] = []
    const members: Member[] = []
    for (let index = 0; index < BRIDGES; index++) {
      const member = await startMember({
        cosmos: house.cosmos,
        edges: house.edges.map(({ url }) => ({ url, pushKey: house.pushKey })),
        signingKey: house.signingKey,
        folder: join(house.folder, 'bridges'),
        initial: () => Promise.resolve(initial),
        // A machine that is busy for seconds is no reason for another leader, whose deltas would be numbered anew.
        cluster: { host: '127.0.0.1', ttlMs: 60_000 },
        onStatus: (status) => {
          if (status.type === 'edge' && status.error !== undefined)
            console.error(`edge ${status.url}: ${status.error}`)
          if (status.type !== 'delta') return
          const body = member.bridge?.release.after(status.delta - 1)?.[0]?.body ?? new Uint8Array()
          const { jws, tensors } = splitDelta(body)
          const payload: unknown = JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString())
          deltas.push({ header: parseDeltaHeader(payload), tensors })
        },
      })
      members.push(member)
    }
    try {
      const urls = house.edges.map(({ url }) => url)
      for (const url of urls) {
        await until(
          'first epoch',
          () => models(url, house.pushKey),
          ({ serving }) => serving?.engine === 'ort',
        )
      }
      const background = startBackground(urls[0] ?? '', house.siteKey, perSecond)
      const samples = await clickAndWatch(urls, house.siteKey, house.pushKey, clicks)
      const newItem = await newItemSeconds(urls, house.siteKey)
      const others = await background.stop()
      return { ...(await judge(samples, deltas, base)), new_item_s: newItem, background_clicks: others }
    } finally {
      await Promise.all(members.map((member) => member.close()))
    }
  } finally {
    await house.close()
  }
}

/** Other visitors' clicks, so many a second. */
function startBackground(edge: string, siteKey: string, perSecond: number): { stop: () => Promise<number> } {
  if (perSecond === 0) return { stop: () => Promise.resolve(0) }
  const random = seededRandom(17)
  const visitors = Array.from({ length: 40 }, () => new Visitor(siteKey))
  const pending = new Set<Promise<unknown>>()
  let clicks = 0
  let failed: unknown
  const opened = Promise.all(visitors.map((visitor) => visitor.open(edge)))
  const timer = setInterval(() => {
    const visitor = visitors[clicks++ % visitors.length]
    const click = opened
      .then(() => visitor?.click(edge, `item-${Math.floor(random() * ITEMS)}`, Date.now()))
      .catch((error: unknown) => (failed = error))
      .finally(() => pending.delete(click))
    pending.add(click)
  }, 1_000 / perSecond)
  return {
    async stop() {
      clearInterval(timer)
      await Promise.all(pending)
      if (failed !== undefined) throw failed
      return clicks
    },
  }
}

/** From the first of 20 clicks on an unseen item, each after one on the same other item, to the first list that has it. */
async function newItemSeconds(
  [first = '', second = '']: readonly string[],
  siteKey: string,
): Promise<number> {
  const [beside, unseen] = ['item-42', 'item-nobody-has-seen']
  const shown = async () => {
    const visitor = new Visitor(siteKey)
    await visitor.open(second)
    await visitor.click(second, beside, Date.now())
    return (await visitor.rank(second)).items.some(({ id }) => id === unseen)
  }
  if (await shown()) throw new Error('the unseen item was recommended before anybody clicked it')
  const started = performance.now()
  for (let click = 0; click < CO_CLICKS; click++) {
    const visitor = new Visitor(siteKey)
    await visitor.open(first)
    const at = Date.now()
    await visitor.click(first, beside, at - 2_000)
    await visitor.click(first, unseen, at - 1_000)
  }
  await until('the new item in a list', shown, Boolean, NEW_ITEM_MS, POLL_MS)
  return Number(((performance.now() - started) / 1_000).toFixed(2))
}

/** Clicks through edge 0, ranks through edge 1; both are asked meanwhile what they contain. */
async function clickAndWatch(
  urls: readonly string[],
  siteKey: string,
  pushKey: string,
  clicks: number,
): Promise<Sample[]> {
  const samples: Sample[] = []
  const stop = new AbortController()
  const watching = Promise.all(urls.map((url, edge) => watch(url, edge, pushKey, samples, stop.signal)))
  const random = seededRandom(11)
  const [first = '', second = ''] = urls
  const open = new Map<number, { visitor: Visitor; history: HistoryItem[] }>()
  for (let click = 0; click < clicks; click++) {
    const who = Math.floor((random() * clicks) / 8)
    let known = open.get(who)
    if (known === undefined) {
      known = { visitor: new Visitor(siteKey), history: [] }
      await known.visitor.open(first)
      open.set(who, known)
    }
    const item = `item-${Math.floor(random() ** 2 * ITEMS)}`
    const at = Date.now()
    const { session } = await known.visitor.click(first, item, at)
    const stored = performance.now()
    const before = [...known.history]
    known.history.push({ item, kind: 'click', at })
    const answer = await known.visitor.rank(second)
    samples.push({ item, session, stored, before, after: [...known.history], answer, seen: [] })
    if ((click + 1) % 100 === 0) console.error(`${click + 1} of ${clicks} clicks`)
  }
  await until(
    'every click on every edge',
    () => Promise.resolve(samples),
    (all) => all.every(({ seen }) => seen.filter(Boolean).length === urls.length),
    30_000,
  )
  stop.abort()
  await watching
  return samples
}

async function watch(
  url: string,
  edge: number,
  pushKey: string,
  samples: Sample[],
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const { serving } = await models(url, pushKey)
    const at = performance.now()
    if (serving?.through != null) {
      const through = parseSessionToken(serving.through)
      for (const sample of samples) {
        if (sample.seen[edge] === undefined && covers(through, parseSessionToken(sample.session))) {
          sample.seen[edge] = { at, delta: serving.delta }
        }
      }
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

/** Replays the deltas on core's own model and holds every answer and every `through` against it. */
async function judge(
  samples: readonly Sample[],
  deltas: readonly Applied[],
  model: ServingModel,
): Promise<Record<string, unknown>> {
  const popularity = model.popularity.slice()
  const sums = model.srSums.slice()
  const clicked = new Map<number, number>()
  const paired = new Map<number, number>()
  const expected = samples.map(({ item, after }) => count(model, item, after, clicked, paired))
  let own = 0
  for (let delta = 0; delta <= deltas.length; delta++) {
    const applied = deltas[delta - 1]
    if (applied !== undefined) model.apply(applied.header, applied.tensors)
    for (const [index, sample] of samples.entries()) {
      if (sample.answer.delta === delta && (await isOwn(model, sample))) own++
      if (!sample.seen.some((seen) => seen.delta === delta)) continue
      // What the edge says it contains is in the rows of the delta it serves: every click so far, this one included.
      for (const { row, clicks, source, rules } of [expected[index]].flatMap((one) => one ?? [])) {
        if ((model.popularity[row] ?? 0) < (popularity[row] ?? 0) + clicks - 1e-3) {
          throw new Error(
            `delta ${delta} claims click ${index} on ${sample.item}, but its popularity is not there`,
          )
        }
        if (source !== undefined && (model.srSums[source] ?? 0) < (sums[source] ?? 0) + rules - 1e-3) {
          throw new Error(`delta ${delta} claims click ${index} on ${sample.item}, but its rule is not there`)
        }
      }
    }
  }
  const times = samples
    .map(({ seen, stored }) => Math.max(...seen.map(({ at }) => at - stored)))
    .sort((a, b) => a - b)
  const share = own / samples.length
  if (share < 1) throw new Error(`own_click_next_list is ${share}, expected 1`)
  return {
    bench: 'freshness',
    own_click_next_list: share,
    event_to_edge_p50_ms: Math.round(quantile(times, 0.5)),
    event_to_edge_p95_ms: Math.round(quantile(times, 0.95)),
    event_to_edge_max_ms: Math.round(quantile(times, 1)),
    clicks: samples.length,
    deltas: deltas.length,
    edges: 2,
  }
}

/** What must be counted once this click is: clicks of its item, and the rules that start at the step before it. */
function count(
  model: ServingModel,
  item: string,
  after: readonly HistoryItem[],
  clicked: Map<number, number>,
  paired: Map<number, number>,
): { row: number; clicks: number; source: number | undefined; rules: number } {
  const row = model.rowOf(item) ?? -1
  clicked.set(row, (clicked.get(row) ?? 0) + 1)
  const last = after.length - 1
  for (let distance = 1; distance <= MAX_PAIR_DISTANCE && last - distance >= 0; distance++) {
    const step = after[last - distance]
    const later = after[last - distance + 1]
    if (step === undefined || later === undefined || later.at - step.at >= VISIT_GAP_MS) break
    const source = model.rowOf(step.item) ?? -1
    paired.set(source, (paired.get(source) ?? 0) + 1 / distance)
  }
  const previous = after[last - 1]
  const source = previous && model.rowOf(previous.item)
  return {
    row,
    clicks: clicked.get(row) ?? 0,
    source,
    rules: source === undefined ? 0 : (paired.get(source) ?? 0),
  }
}

/** Whether the list is what core computes for the history with the click, and not what it computes without it. */
async function isOwn(model: ServingModel, { before, after, answer }: Sample): Promise<boolean> {
  if (!answer.fresh || model.weights === undefined) return false
  const engine = coreEngine(model.weights)
  const scratch = new CandidateSet()
  const list = async (history: readonly HistoryItem[]) => {
    const { rows, scores } = await rankHistory(model, { history, k: LIST }, engine, scratch)
    return { ids: rows.map((row) => model.ids[row] ?? ''), scores }
  }
  const received = answer.items.map(({ id }) => id)
  const wanted = await list(after)
  const without = await list(before)
  return sameList(received, wanted) && received.join() !== without.ids.join()
}

function sameList(
  received: readonly string[],
  { ids, scores }: { ids: readonly string[]; scores: readonly number[] },
): boolean {
  if (received.length !== ids.length) return false
  return received.every((id, place) => {
    const other = ids.indexOf(id)
    return other === place || (other >= 0 && Math.abs((scores[other] ?? 0) - (scores[place] ?? 0)) < TIE)
  })
}

function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? Number.NaN
}
