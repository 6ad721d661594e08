import { runProgram } from './_cosmos-program.ts'

/**
 * Session guarantees of the local Cosmos under lag, pauses, failovers, splits, merges and kill -9:
 * `npm run bench -- cosmos-faults --seconds 60 --json`.
 */
export async function run(args: string[]): Promise<Record<string, unknown>> {
  const at = args.indexOf('--seconds')
  const seed = args.indexOf('--seed')
  const result = await runProgram('tools/cosmos-local/conformance/checker/run.ts', [
    '--seconds',
    at >= 0 ? (args[at + 1] ?? '60') : '60',
    ...(seed >= 0 ? ['--seed', args[seed + 1] ?? '1'] : []),
  ])
  return { bench: 'cosmos-faults', ...result }
}
