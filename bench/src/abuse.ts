import { Agent } from 'node:http'
import { parseArgs } from 'node:util'
import { startWorkerdEdge } from '@attune/edge/workerd'
import { forkAttacker, type AttackOutcome } from './_attacker-process.ts'
import { forkCosmos } from './_cosmos-process.ts'
import { forkEmptyNode, forkNodeEdge, startEmptyWorkerd, type ServerProcess } from './_edge-process.ts'
import { browse, newVisitor, percentile, poster, type Answered } from './_honest.ts'
import { startHouse, type House } from './_loop.ts'
import { pushModel, randomModel } from './_model.ts'

const ITEMS = 5_000
/** What one address may ask: a page's own visits are far below. */
const LIMIT = { perSecond: 50, burst: 200 }
const HONEST_VISITORS = 10

/**
 * `npm run bench -- abuse [--host node|workerd] [--burst 10000] [--rate N] [--seconds 10] [--rounds 2]
 * [--through-miniflare]`: strangers try what strangers try, one address sends burst after burst (with `--rate`: N requests a
 * second that wait for no answer), bodies drip; each is refused with its code. Honest visitors go on meanwhile, and their
 * 99th percentile, from the first attack to the end of the last, is held against that of quiet times, which take turns
 * with them.
 *
 * Strangers run at the lowest priority (`_attacker-process.ts`). What they take of this machine all the same is told by a
 * control: the same bursts go to a server that answers `{}` and has nothing to do with the edge.
 */
export async function run(args: string[]): Promise<Record<string, unknown>> {
  const { values } = parseArgs({
    args,
    options: {
      host: { type: 'string', default: 'node' },
      burst: { type: 'string', default: '10000' },
      rate: { type: 'string' },
      seconds: { type: 'string', default: '10' },
      rounds: { type: 'string', default: '2' },
      'through-miniflare': { type: 'boolean', default: false },
    },
  })
  const { host } = values
  if (host !== 'node' && host !== 'workerd')
    throw new Error(`--host: expected node or workerd, received ${host}`)
  const [burst, seconds] = [Number(values.burst), Number(values.seconds)]
  const house = await startHouse(0, startWorkerdEdge, forkCosmos)
  const options = {
    ...house.edgeOptions(0),
    trustProxy: true,
    adminKey: 'admin_key_of_the_abuse_bench',
    limits: { address: LIMIT },
    // Nobody deploys Miniflare's own Worker, whose cost for a request is that of a refusal once more.
    direct: !values['through-miniflare'],
  }
  const edge: ServerProcess = host === 'node' ? await forkNodeEdge(options) : await startWorkerdEdge(options)
  const unrelated = host === 'node' ? await forkEmptyNode() : await startEmptyWorkerd(options.direct)
  const attacker = await forkAttacker()
  const agent = new Agent({ keepAlive: true, maxSockets: HONEST_VISITORS })
  const post = poster(agent)
  try {
    await pushModel(edge.url, house, randomModel(ITEMS))
    const visitors = await Promise.all(
      Array.from({ length: HONEST_VISITORS }, () => newVisitor(edge.url, house.siteKey)),
    )
    const handles = [visitors[0] ?? '', await foreignHandle(house, host)] as const
    const site = { siteKey: house.siteKey, pushKey: house.pushKey, signingKey: house.signingKey }
    const honest = (meanwhile?: Promise<unknown>) =>
      browse(edge.url, house.siteKey, ITEMS, visitors, post, seconds, meanwhile)
    const job = { site, burst, seconds, ...(values.rate !== undefined && { rate: Number(values.rate) }) }
    await browse(edge.url, house.siteKey, ITEMS, visitors, post, 2)
    const quiet: Answered[] = []
    const control: Answered[] = []
    const busy: Answered[] = []
    const outcomes: AttackOutcome[] = []
    for (let round = 0; round < Number(values.rounds); round++) {
      quiet.push(...(await honest()))
      const elsewhere = attacker.attack({ ...job, url: unrelated.url })
      control.push(...(await honest(elsewhere)))
      await elsewhere
      const attack = attacker.attack({ ...job, url: edge.url, handles })
      busy.push(...(await honest(attack)))
      const outcome = await attack
      outcomes.push(outcome)
    }
    check(outcomes, [...quiet, ...control, ...busy])
    const sum = (of: (outcome: AttackOutcome) => number): number =>
      outcomes.reduce((total, outcome) => total + of(outcome), 0)
    const p99 = { quiet: percentile(quiet, 99), control: percentile(control, 99), busy: percentile(busy, 99) }
    return {
      bench: 'abuse',
      host,
      attacks: outcomes[0]?.attacks.length,
      ...(values.rate === undefined ? { burst } : { rate: Number(values.rate) }),
      burst_served: sum(({ served }) => served),
      burst_refused: sum(({ refused }) => refused),
      burst_reset: sum(({ reset }) => reset),
      burst_rps: Math.round(
        sum(({ served, refused, reset }) => served + refused + reset) / sum(({ seconds: took }) => took),
      ),
      honest_requests: busy.length,
      p50_quiet_ms: percentile(quiet, 50),
      p50_control_ms: percentile(control, 50),
      p50_abused_ms: percentile(busy, 50),
      p99_quiet_ms: p99.quiet,
      p99_control_ms: p99.control,
      p99_abused_ms: p99.busy,
      max_quiet_ms: percentile(quiet, 100),
      max_abused_ms: percentile(busy, 100),
      p99_control_ratio: Math.round((p99.control / p99.quiet) * 100) / 100,
      p99_ratio: Math.round((p99.busy / p99.quiet) * 100) / 100,
      within_3x: p99.busy <= 3 * p99.quiet,
    }
  } finally {
    agent.destroy()
    await attacker.close()
    await unrelated.close()
    await edge.close()
    await house.close()
  }
}

/** Every stranger was refused with its code, and no honest visitor was. */
function check(outcomes: readonly AttackOutcome[], honest: readonly Answered[]): void {
  const wrong = outcomes.flatMap(({ attacks }) =>
    attacks.filter(({ expected, received }) => !expected.split(' or ').includes(received)),
  )
  if (wrong.length > 0) throw new Error(`not refused as expected: ${JSON.stringify(wrong)}`)
  const failed = honest.filter(({ status }) => status >= 300)
  if (failed.length > 0)
    throw new Error(
      `${failed.length} honest requests failed, one with ${failed[0]?.status} ${failed[0]?.code}`,
    )
  const other = outcomes.flatMap((outcome) => outcome.other)
  if (other.length > 0) throw new Error(`some of the burst ended otherwise: ${other.join(', ')}`)
}

/** A handle that an edge of another secret signed. */
async function foreignHandle(house: House, host: 'node' | 'workerd'): Promise<string> {
  const options = { ...house.edgeOptions(1), visitorSecret: 'another secret than this edge has' }
  const other = host === 'node' ? await forkNodeEdge(options) : await startWorkerdEdge(options)
  try {
    return await newVisitor(other.url, house.siteKey)
  } finally {
    await other.close()
  }
}
