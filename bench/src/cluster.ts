import { runProgram } from './_cosmos-program.ts'

interface Rehearsal {
  readonly scaling: readonly { readonly pods: number; readonly expected: number }[]
  readonly evictions: readonly number[]
  readonly refused: readonly string[]
  readonly keda: {
    readonly lag: readonly { readonly pods: number; readonly expected: number }[]
  }
}

/**
 * The manifests on a real Kubernetes API server with its controllers and scheduler, built from their Go modules the first
 * time (about 15 minutes; needs Go); nodes are played by kwok, bridges are scaled by KEDA's own programs: `npm run bench -- cluster --json`.
 */
export async function run(): Promise<Record<string, unknown>> {
  const result = (await runProgram('deploy/cluster/main.ts', [])) as unknown as Rehearsal
  const wrong = [...result.scaling, ...result.keda.lag].filter(({ pods, expected }) => pods !== expected)
  if (wrong.length > 0) throw new Error(`autoscaling: ${JSON.stringify(wrong)}`)
  if (!result.evictions.includes(201) || !result.evictions.includes(429))
    throw new Error(
      `evictions: expected some granted and some refused, received ${result.evictions.join(', ')}`,
    )
  if (result.refused.includes('taken')) throw new Error(`mistakes were taken: ${result.refused.join(', ')}`)
  return { bench: 'cluster', ...result }
}
