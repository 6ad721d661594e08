import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { listEpochs, writeArtifact } from '../artifact/folder.ts'
import { startService } from '../service.ts'
import { startBridgeWorld, type BridgeWorld } from '../testing/bridge-world.ts'
import { storeClicks } from '../testing/events-container.ts'
import { randomArtifact, randomTrainedModel } from '../testing/random-model.ts'
import { FIRST, override } from './report.ts'

let world: BridgeWorld
afterEach(() => world.close())

const failed = {
  ...FIRST,
  verdict: 'failed' as const,
  against: { epoch: 1, created: '2026-11-01T00:00:00.000Z' },
}

const artifact = (gate: Record<string, unknown>) =>
  randomArtifact(45, 2, { parent: 1, created: '2026-11-02T00:00:00.000Z', gate })

/** A bridge that serves epoch 1, given an artifact as `attune push --bridge` leaves it. */
async function handOver(gate: Record<string, unknown>) {
  world = await startBridgeWorld()
  const { cosmos, edge, signingKey, folder } = world
  const [initial, state] = [join(folder, 'initial'), join(folder, 'state')]
  await writeArtifact(initial, await artifact({}))
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
    (level, message, fields) => said.push(`${level}: ${message} ${JSON.stringify(fields)}`),
  )
  world.later(() => service.close())
  await vi.waitFor(() => expect(edge.model?.epoch).toBe(1), 10_000)
  await writeArtifact(join(state, 'next'), await artifact(gate))
  await vi.waitFor(async () => expect(await readdir(state)).not.toContain('next'), 10_000)
  return { service, state, said }
}

test.each([
  ['whose report says it failed', { report: failed }, 'GATE_FAILED'],
  ['nobody compared', {}, 'GATE_MISSING'],
])(
  'an epoch %s, left in a bridge’s folder, is kept aside; the old one goes on with its deltas',
  async (_, gate, code) => {
    const { service, state, said } = await handOver(gate)
    const { container, edge } = world
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

test('a failed epoch that somebody overrode is taken over: the reason is in the log and in its manifest', async () => {
  const { said } = await handOver({ report: override(failed, 'the sale begins at noon', 1_764_000_000_000) })
  await vi.waitFor(() => expect(world.edge.model?.epoch).toBe(2), 10_000)
  expect(said).toContainEqual(
    'warn: the gate was overridden {"why":"the sale begins at noon","at":"2025-11-24T16:00:00.000Z"}',
  )
  expect(world.edge.model?.manifest.gate).toMatchObject({
    report: { verdict: 'overridden', override: { why: 'the sale begins at noon' } },
  })
}, 60_000)
