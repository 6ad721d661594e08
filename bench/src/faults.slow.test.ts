import { expect, test } from 'vitest'
import { runFaults } from './_faults.ts'

const SEED = Number(process.env['ATTUNE_SEED'] ?? 1)

test(
  'bridges, leaders and edges are killed, stopped and throttled while ranges split: every count is that of a single pass',
  { timeout: 400_000 },
  async () => {
    const result = await runFaults({ seconds: 12, seed: SEED, bridges: 2, edges: 2, perSecond: 60 })
    expect(result.kills + result.stalls + result.edge_kills + result.splits).toBeGreaterThan(1)
    expect(result.documents).toBeGreaterThan(100)
    expect(result.forged_refused).toBeGreaterThan(0)
  },
)
