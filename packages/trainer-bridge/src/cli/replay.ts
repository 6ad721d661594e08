import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import {
  uuidv7,
  type EventsResponse,
  type Problem,
  type RankResponse,
  type TrackedEvent,
  type VisitorResponse,
} from '@attune/core'
import { addQuery, emptyTotals, metrics } from '@attune/core/evaluate'
import { BridgeError } from '../error.ts'
import { loadSessions } from '../train/load-sessions.ts'
import { CliError, natural, required, type Command, type Terminal } from './command.ts'

const K = 20
const VISITS = 100
const PLAIN_EVERY_MS = 5_000

/** `attune replay --data DIR --edge URL` */
export const replay: Command = {
  summary: 'play visits of a click log as visitors of a running edge, and count what its lists foresaw',
  usage:
    'attune replay --data DIR --edge URL [--site-key KEY] [--visits 100] [--connections 4]\n' +
    '  --data         folder with test-sessions.txt.gz or train.txt.gz: a visit a line; the newest are played\n' +
    '  --site-key     public key of the site (or ATTUNE_SITE_KEY)\n' +
    '  --no-store     send clicks along with each request instead of storing them\n' +
    'Clicks are stored and learnt from like any visitor’s: use it on a staging edge. Before each click the edge is asked for a\n' +
    'list, which must know the click before.',
  options: {
    data: { type: 'string' },
    edge: { type: 'string' },
    'site-key': { type: 'string' },
    visits: { type: 'string' },
    connections: { type: 'string' },
    'no-store': { type: 'boolean' },
  },
  async run(args, terminal) {
    const data = required(args, terminal, 'data')
    const edge = required(args, terminal, 'edge').replace(/\/+$/, '')
    if (!URL.canParse(edge))
      throw new CliError('USAGE', `--edge: expected a URL like https://edge.example, received ${edge}`)
    const key = required(args, terminal, 'site-key', 'ATTUNE_SITE_KEY')
    const store = args.values['no-store'] !== true
    const limit = natural(args, 'visits') ?? VISITS
    const file = (await stat(join(data, 'test-sessions.txt.gz')).catch(() => undefined))
      ? 'test-sessions.txt.gz'
      : 'train.txt.gz'
    const { ids, offsets, rows } = await loadSessions(data, limit, file)
    const visits = Array.from({ length: offsets.length - 1 }, (_, visit) =>
      Array.from(rows.subarray(offsets[visit], offsets[visit + 1]), (row) => ids[row] ?? ''),
    )
    const played = new Played()
    const started = terminal.now()
    let shown = started
    let next = 0
    const player = async (): Promise<void> => {
      for (let visit = visits[next++]; visit !== undefined; visit = visits[next++]) {
        await playVisit(visit, { edge, key, store }, played, terminal)
        const text = `${played.visits} of ${visits.length} visits, HR@${K} ${metrics(played.totals).hr.toFixed(3)}`
        if (terminal.status !== undefined) terminal.status(text)
        else if (terminal.now() - shown >= PLAIN_EVERY_MS) {
          shown = terminal.now()
          terminal.err(text)
        }
      }
    }
    await Promise.all(Array.from({ length: natural(args, 'connections') ?? 4 }, player))
    terminal.status?.('')
    const { hr, mrr, queries } = metrics(played.totals)
    const times = played.times.sort((a, b) => a - b)
    const quantile = (share: number) =>
      Number((times[Math.floor(share * (times.length - 1))] ?? 0).toFixed(1))
    const result = {
      edge,
      visits: played.visits,
      clicks: played.clicks,
      ranks: queries,
      hr,
      mrr,
      fresh: queries === 0 ? 1 : played.fresh / queries,
      rankP50Ms: quantile(0.5),
      rankP99Ms: quantile(0.99),
      seconds: (terminal.now() - started) / 1_000,
    }
    return {
      result,
      lines: [
        `${result.visits} visits, ${result.clicks} clicks${store ? ' stored' : ''}, ${queries} lists: HR@${K} ${hr.toFixed(4)}, MRR@${K} ${mrr.toFixed(4)}`,
        `lists that knew every click before: ${played.fresh} of ${queries}; answered in p50 ${result.rankP50Ms} ms, p99 ${result.rankP99Ms} ms`,
      ],
    }
  },
}

class Played {
  readonly totals: ReturnType<typeof emptyTotals> = emptyTotals()
  readonly times: number[] = []
  visits = 0
  clicks = 0
  fresh = 0
}

async function playVisit(
  items: readonly string[],
  { edge, key, store }: { edge: string; key: string; store: boolean },
  played: Played,
  terminal: Terminal,
): Promise<void> {
  const { now } = terminal
  const post = <Answer>(route: string, body: unknown) =>
    ask<Answer>(`${edge}/v1/${route}?key=${encodeURIComponent(key)}`, body, terminal)
  const { visitor } = await post<VisitorResponse>('visitors', {})
  const recent: TrackedEvent[] = []
  let session: string | undefined
  for (const [index, item] of items.entries()) {
    const known = session === undefined ? {} : { session }
    if (index > 0) {
      const asked = performance.now()
      const list = await post<RankResponse>('rank', {
        slot: 'for-you',
        visitor,
        k: K,
        ...known,
        ...(store ? {} : { recent: recent.slice(-50), history: 'recent' }),
      })
      played.times.push(performance.now() - asked)
      if (list.fresh) played.fresh++
      addQuery(
        played.totals,
        list.items.map(({ id }) => id),
        item,
        K,
      )
    }
    const click: TrackedEvent = { id: uuidv7(now(), Math.random), kind: 'click', item, at: now() }
    recent.push(click)
    if (store) {
      const batch = uuidv7(now(), Math.random)
      session = (await post<EventsResponse>('events', { batch, visitor, ...known, events: [click] })).session
    }
    played.clicks++
  }
  played.visits++
}

/** @throws {BridgeError} `EDGE_UNREACHABLE`, `REPLAY_REFUSED` */
async function ask<Answer>(url: string, body: unknown, { fetch, signal }: Terminal): Promise<Answer> {
  const { pathname } = new URL(url)
  let response: Response
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'text/plain' },
      body: JSON.stringify(body),
      signal,
    })
  } catch (cause) {
    throw new BridgeError('EDGE_UNREACHABLE', `POST ${new URL(url).origin}${pathname}: no answer`, { cause })
  }
  if (response.ok) return (await response.json()) as Answer
  const { code, detail } = (await response.json().catch(() => ({}))) as Partial<Problem>
  const hint =
    response.status === 401 || response.status === 403
      ? '; is --site-key the site’s public key?'
      : response.status === 429
        ? '; play with fewer --connections, or raise ATTUNE_LIMITS of the edge'
        : ''
  throw new BridgeError(
    'REPLAY_REFUSED',
    `POST ${pathname} answered ${response.status} ${code ?? ''}: ${detail ?? 'no detail'}${hint}`,
  )
}
