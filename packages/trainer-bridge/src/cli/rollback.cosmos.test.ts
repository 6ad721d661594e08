import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { writeArtifact } from '../artifact/folder.ts'
import { startService } from '../service.ts'
import { startBridgeWorld, type BridgeWorld } from '../testing/bridge-world.ts'
import { cli } from '../testing/cli.ts'
import { storeClicks } from '../testing/events-container.ts'
import { randomArtifact } from '../testing/random-model.ts'

let world: BridgeWorld
beforeEach(async () => {
  world = await startBridgeWorld()
})
afterEach(() => world.close())

test('rollback has edges serve the epoch before, by an admin key alone, and an epoch by its number', async () => {
  const { edge, signingKey, folder } = world
  const env = {
    ATTUNE_EDGES: edge.url,
    ATTUNE_PUSH_KEY: edge.pushKey,
    ATTUNE_SIGNING_KEY: JSON.stringify(signingKey),
  }
  for (const epoch of [1, 2, 3]) {
    await writeArtifact(folder, await randomArtifact(40 + epoch, epoch))
    await cli(['push', '--artifact', folder, '--override-gate', 'random models', '--json'], env)
  }
  expect(edge.model).toMatchObject({ epoch: 3, items: 43 })
  const refused = await cli(['rollback', '--admin-key', edge.pushKey, '--json'], env)
  expect([refused.code, refused.json()]).toMatchObject([1, { error: { code: 'PUSH_UNACKNOWLEDGED' } }])
  expect(JSON.stringify(refused.json())).toContain('ATTUNE_ADMIN_KEYS')
  const back = await cli(['rollback', '--json'], { ...env, ATTUNE_ADMIN_KEY: edge.adminKey })
  expect(back.json()).toMatchObject({ edges: [{ url: edge.url, epoch: 2 }] })
  expect(edge.model).toMatchObject({ epoch: 2, items: 42 })
  await cli(['rollback', '--epoch', '1', '--admin-key', edge.adminKey, '--json'], env)
  expect(edge.model).toMatchObject({ epoch: 1, items: 41 })
  const none = await cli(['rollback', '--admin-key', edge.adminKey, '--json'], env)
  expect(JSON.stringify(none.json())).toContain('EPOCH_UNKNOWN')
})

test('rollback of a bridge: the model before serves under a new number, with what was clicked since on top', async () => {
  const { cosmos, container, edge, signingKey, folder } = world
  const [models, state] = [join(folder, 'models'), join(folder, 'state')]
  await writeArtifact(models, await randomArtifact(41, 1))
  const service = await startService(
    {
      cosmos: { ...cosmos, database: 'attune' },
      edges: [edge],
      signingKey,
      folder: state,
      initial: models,
      start: 'beginning',
      deltaIntervalMs: 20,
      port: 0,
      host: '127.0.0.1',
    },
    () => undefined,
  )
  world.later(() => service.close())
  await storeClicks(container, 'v', ['item-1', 'item-2'])
  await vi.waitFor(() => expect(service.bridge?.model.counts.steps(2)).toBe(1), 10_000)
  await writeArtifact(models, await randomArtifact(42, 2))
  await cli(['push', '--artifact', models, '--bridge', state, '--override-gate', 'a random model', '--json'])
  await vi.waitFor(() => expect(edge.model?.items).toBe(42), 20_000)
  const left = edge.model?.epoch ?? 0
  const back = await cli(['rollback', '--bridge', state, '--json'])
  expect([back.code, back.json()]).toMatchObject([0, { bridge: { epoch: 1 } }])
  await vi.waitFor(() => expect(edge.model).toMatchObject({ items: 41, epoch: left + 1 }), 20_000)
  // The click that the first model had on top is counted again, once.
  await vi.waitFor(() => expect(service.bridge?.model.counts.steps(2)).toBe(1), 10_000)
  expect(edge.model?.manifest.gate).toMatchObject({
    report: { verdict: 'overridden', override: { why: 'rolled back to epoch 1' } },
  })
  const gone = await cli(['rollback', '--bridge', state, '--epoch', '77', '--json'])
  expect(gone.json()).toMatchObject({ error: { code: 'EPOCH_MISSING' } })
}, 60_000)
