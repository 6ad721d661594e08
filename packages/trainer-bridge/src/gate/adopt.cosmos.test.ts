import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { listEpochs, writeArtifact } from '../artifact/folder.ts'
import { startService } from '../service.ts'
import { startBridgeWorld, type BridgeWorld } from '../testing/bridge-world.ts'
import { storeClicks } from '../testing/events-container.ts'
import { randomArtifact, randomTrainedModel } from '../testing/random-model.ts'
import { FIRST } from './report.ts'

let world: BridgeWorld
afterEach(() => world.close())

const failed = {
  ...FIRST,
  verdict: 'failed' as const,
  against: { epoch: 1, created: '2026-11-01T00:00:00.000Z' },
}

const artifact = (gate: Record<string, unknown>) =>
  randomArtifact(45, 2, { parent: 1, created: '2026-11-02T00:00:00.000Z', gate })

test.each([
  ['whose report says it failed', { report: failed }, 'GATE_FAILED'],
  ['nobody compared', {}, 'GATE_MISSING'],
])(
  'an epoch %s, left in a bridge’s folder, is kept aside; the old one goes on with its deltas',
  async (_, gate, code) => {
    world = await startBridgeWorld()
    const { cosmos, container, edge, signingKey, folder } = world
    const initial = join(folder, 'initial')
    await writeArtifact(initial, await artifact({}))
    const state = join(folder, 'state')
    const said: string[] = []
    const service = await startService(
      {
        cosmos: { ...cosmos, database: 'attune' },
        edges: [edge],
        signingKey,
        folder: state,
        initial,
        start: 'beginning',
        deltaIntervalMs: 20,
        port: 0,
        host: '127.0.0.1',
      },
      (_level, message, fields) => said.push(`${message} ${JSON.stringify(fields)}`),
    )
    world.later(() => service.close())
    await vi.waitFor(() => expect(edge.model?.epoch).toBe(1), 10_000)
    await writeArtifact(join(state, 'next'), await artifact(gate))
    await vi.waitFor(async () => expect(await readdir(state)).not.toContain('next'), 10_000)
    expect(await listEpochs(join(state, 'held'))).toEqual([2])
    expect(said.join('\n')).toContain(code)
    await storeClicks(container, 'v', ['item-1', 'item-2'])
    await vi.waitFor(() => expect(edge.model?.delta).toBe(1), 10_000)
    expect(edge.model?.epoch).toBe(1)
    const base = { model: randomTrainedModel(45, 2), trainer: 'local/0.1.0', gate, since: 0 }
    await expect(service.bridge?.adopt(base)).rejects.toMatchObject({ code })
  },
  60_000,
)
