import { fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent } from 'node:http'
import { setPriority } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { attacksOn, type Site } from './_attacks.ts'
import { poster } from './_honest.ts'

// Strangers in a process of their own, of the lowest priority: the real ones have machines of their own, and take an edge's
// time by what they send and not by running beside it.

export interface AttackJob {
  readonly url: string
  readonly site: Site
  /** Requests of one burst; the next begins when it has been answered. */
  readonly burst: number
  /** Bursts begin for so long; there is at least one. */
  readonly seconds: number
  /** Requests a second that wait for no answer, instead of bursts. */
  readonly rate?: number
  /** For the attacks one by one, a good handle and one of another site; absent: only bursts. */
  readonly handles?: readonly [own: string, foreign: string]
}

export interface AttackOutcome {
  /** Of the bursts. */
  readonly served: number
  readonly refused: number
  readonly reset: number
  /** Ended otherwise: `status code`. */
  readonly other: readonly string[]
  readonly seconds: number
  readonly attacks: readonly { readonly name: string; readonly expected: string; readonly received: string }[]
}

const CONNECTIONS = 50
const LOWEST_PRIORITY = 19
const SAME_ADDRESS = '203.0.113.7'

/** Starts the strangers' process, which waits for its orders. */
export async function forkAttacker(): Promise<{
  attack(job: AttackJob): Promise<AttackOutcome>
  close(): Promise<void>
}> {
  const child = fork(import.meta.filename, [], {
    env: { ...process.env, ATTUNE_BENCH_ATTACKER: '1' },
    execArgv: ['--conditions=@attune/source', '--no-warnings'],
  })
  await once(child, 'message')
  const died = once(child, 'exit').then(([code]) => {
    throw new Error(`the attackers ended with ${String(code)}`)
  })
  died.catch(() => undefined)
  return {
    async attack(job) {
      child.send(job)
      const [outcome] = (await Promise.race([once(child, 'message'), died])) as [AttackOutcome]
      return outcome
    },
    async close() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = once(child, 'exit')
      child.disconnect()
      await gone
    },
  }
}

async function attack({ url, site, burst, seconds, rate, handles }: AttackJob): Promise<AttackOutcome> {
  const agent = new Agent({ keepAlive: true, maxSockets: rate === undefined ? CONNECTIONS : Infinity })
  const post = poster(agent)
  const counts = { served: 0, refused: 0, reset: 0 }
  const other = new Set<string>()
  const ask = async (): Promise<void> => {
    const answer = await post(`${url}/v1/rank?key=${site.siteKey}`, { slot: 'home' }, SAME_ADDRESS).catch(
      // workerd without Cloudflare in front closes the connection of a request whose body it was refused to read.
      () => ({ status: 0, code: 'RESET' }),
    )
    if (answer.status === 200) counts.served++
    else if (answer.code === 'RATE_LIMITED') counts.refused++
    else if (answer.code === 'RESET') counts.reset++
    else other.add(`${answer.status} ${answer.code}`)
  }
  const flood = async (): Promise<number> => {
    const started = performance.now()
    do {
      let left = burst
      const work = async (): Promise<void> => {
        while (left-- > 0) await ask()
      }
      await Promise.all(Array.from({ length: CONNECTIONS }, work))
    } while (performance.now() - started < 1_000 * seconds)
    return (performance.now() - started) / 1_000
  }
  /** However slowly they are answered, as many come each second. */
  const pour = async (perSecond: number): Promise<number> => {
    const started = performance.now()
    const asked: Promise<void>[] = []
    for (let passed = 0; passed < seconds; passed = (performance.now() - started) / 1_000) {
      while (asked.length < passed * perSecond) asked.push(ask())
      await sleep(1)
    }
    await Promise.all(asked)
    return (performance.now() - started) / 1_000
  }
  try {
    const list = handles === undefined ? [] : attacksOn(url, site, ...handles)
    const [took, attacks] = await Promise.all([
      rate === undefined ? flood() : pour(rate),
      Promise.all(list.map(async ({ name, expected, run }) => ({ name, expected, received: await run() }))),
    ])
    return { ...counts, other: [...other], seconds: took, attacks }
  } finally {
    agent.destroy()
  }
}

if (process.env['ATTUNE_BENCH_ATTACKER'] !== undefined && process.argv[1] === import.meta.filename) {
  setPriority(LOWEST_PRIORITY)
  process.once('disconnect', () => process.exit())
  process.on('message', (job: AttackJob) => {
    void attack(job).then((outcome) => process.send?.(outcome))
  })
  process.send?.('ready')
}
