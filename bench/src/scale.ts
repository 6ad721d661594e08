import { parseArgs } from 'node:util'
import { DATABASE } from '@attune/core'
import { sustain, type SustainedWorld } from './_sustained.ts'

const SPLITS = 2

/**
 * `npm run bench -- scale [--instances 1,2,4] [--events 20000]`: as many bridges and as many edges; ranges split and every
 * bridge is replaced by a new one, in order, while events come. Everything must be on every edge in the end, and no edge may
 * have gone back.
 */
export async function run(args: string[]): Promise<Record<string, unknown>> {
  const { values } = parseArgs({
    args,
    options: {
      instances: { type: 'string', default: '1,2,4' },
      events: { type: 'string', default: '20000' },
      rate: { type: 'string', default: '1000' },
    },
  })
  const rows: Record<string, unknown>[] = []
  let stale = 0
  for (const instances of values.instances.split(',').map(Number)) {
    const events = Number(values.events)
    const free = await sustain({ bridges: instances, edges: instances, events })
    const rolled = await sustain({
      bridges: instances,
      edges: instances,
      events,
      perSecond: Number(values.rate),
      meanwhile: rollAndSplit,
    })
    stale += free.stale + rolled.stale
    rows.push({
      instances,
      events_per_s: free.perSecond,
      lag_p95_s: rolled.lagP95,
      rolled_seconds: Number(rolled.seconds.toFixed(1)),
    })
  }
  if (stale > 0) throw new Error(`edges were seen to go back ${stale} times`)
  // `sustain` only returns once every edge has said that it contains every event that was stored.
  return { bench: 'scale', rows, lost: 0, stale }
}

/** Splits ranges, and replaces one bridge after the other: the new one first, then the old one ends. */
async function rollAndSplit({ members, adminEndpoint, start }: SustainedWorld): Promise<void> {
  for (let split = 0; split < SPLITS; split++) {
    await fetch(`${adminEndpoint}/api/containers/${DATABASE}/events/split`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    })
  }
  const before = members.slice()
  for (const old of before) {
    members.push(await start())
    members.splice(members.indexOf(old), 1)
    await old.close()
  }
}
