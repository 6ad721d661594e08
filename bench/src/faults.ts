import { parseArgs } from 'node:util'
import { runFaults } from './_faults.ts'

/**
 * `npm run bench -- faults [--seconds 60] [--seed N] [--bridges 3] [--edges 2]`: what {@link runFaults} does to them, and
 * that nothing was lost, counted twice or gone back on.
 */
export async function run(args: string[]): Promise<Record<string, unknown>> {
  const { values } = parseArgs({
    args,
    options: {
      seconds: { type: 'string', default: '60' },
      seed: { type: 'string', default: '1' },
      bridges: { type: 'string', default: '3' },
      edges: { type: 'string', default: '2' },
    },
  })
  const seconds = Number(values.seconds)
  const result = await runFaults({
    seconds,
    seed: Number(values.seed),
    bridges: Number(values.bridges),
    edges: Number(values.edges),
    perSecond: 100,
  })
  return { bench: 'faults', seconds, seed: Number(values.seed), exact: true, ...result }
}
