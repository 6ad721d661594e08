import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { seededRandom } from '@attune/core/testing'
import { startCosmosLocal } from '@attune/cosmos-local'
import { afterEach, expect, test, vi } from 'vitest'
import { buildArtifact } from '../artifact/build.ts'
import { writeArtifact } from '../artifact/folder.ts'
import { createSigner, generateSigningKey } from '../artifact/sign.ts'
import { startService } from '../service.ts'
import { createEvents, storeClicks } from '../testing/events-container.ts'
import { randomTrainedModel } from '../testing/random-model.ts'
import { startStagedEdge } from '../testing/staged-edge.ts'
import { nodeScanner } from '../train/node-scanner.ts'
import { runCli } from './run.ts'

const cleanup: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const action of cleanup.splice(0).reverse()) await action()
})

async function cli(argv: string[], env: Record<string, string> = {}) {
  const out: string[] = []
  const code = await runCli([...argv, '--json'], {
    env,
    out: (text) => out.push(text),
    err: () => undefined,
    status: undefined,
    fetch,
    now: Date.now,
    signal: new AbortController().signal,
  })
  return { code, json: JSON.parse(out.at(-1) ?? '{}') as Record<string, unknown> }
}

const artifact = (epoch: number, items: number) =>
  buildArtifact(randomTrainedModel(items, epoch), {
    epoch,
    parent: null,
    created: new Date(1_764_000_000_000 + epoch).toISOString(),
    trainer: 'local/0.1.0',
    makeScanner: nodeScanner,
    random: seededRandom(epoch),
  })

test('rollback has edges serve the epoch before, by an admin key alone, and an epoch by its number', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'attune-rollback-'))
  cleanup.push(() => rm(folder, { recursive: true, force: true }))
  const signingKey = await generateSigningKey()
  const edge = await startStagedEdge((await createSigner(signingKey)).publicJwk)
  cleanup.push(() => edge.close())
  const env = {
    ATTUNE_EDGES: edge.url,
    ATTUNE_PUSH_KEY: edge.pushKey,
    ATTUNE_SIGNING_KEY: JSON.stringify(signingKey),
  }
  for (const epoch of [1, 2, 3]) {
    await writeArtifact(folder, await artifact(epoch, 40 + epoch))
    await cli(['push', '--artifact', folder, '--override-gate', 'random models'], env)
  }
  expect(edge.model).toMatchObject({ epoch: 3, items: 43 })
  const refused = await cli(['rollback', '--admin-key', edge.pushKey], env)
  expect(refused).toMatchObject({ code: 1, json: { error: { code: 'PUSH_UNACKNOWLEDGED' } } })
  expect(JSON.stringify(refused.json)).toContain('ATTUNE_ADMIN_KEYS')
  const back = await cli(['rollback'], { ...env, ATTUNE_ADMIN_KEY: edge.adminKey })
  expect(back.json).toMatchObject({ edges: [{ url: edge.url, epoch: 2 }] })
  expect(edge.model).toMatchObject({ epoch: 2, items: 42 })
  await cli(['rollback', '--epoch', '1', '--admin-key', edge.adminKey], env)
  expect(edge.model).toMatchObject({ epoch: 1, items: 41 })
  const none = await cli(['rollback', '--admin-key', edge.adminKey], env)
  expect(JSON.stringify(none.json)).toContain('EPOCH_UNKNOWN')
})

test('rollback of a bridge: the model before serves under a new number, with what was clicked since on top', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'attune-rollback-'))
  cleanup.push(() => rm(folder, { recursive: true, force: true }))
  const cosmos = await startCosmosLocal({ port: 0 })
  cleanup.push(() => cosmos.close())
  const container = await createEvents(cosmos)
  const signingKey = await generateSigningKey()
  const edge = await startStagedEdge((await createSigner(signingKey)).publicJwk)
  cleanup.push(() => edge.close())
  const [models, state] = [join(folder, 'models'), join(folder, 'state')]
  await writeArtifact(models, await artifact(1, 41))
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
  cleanup.push(() => service.close())
  await storeClicks(container, 'v', ['item-1', 'item-2'])
  await vi.waitFor(() => expect(service.bridge?.model.counts.steps(2)).toBe(1), 10_000)
  await writeArtifact(models, await artifact(2, 42))
  await cli(['push', '--artifact', models, '--bridge', state, '--override-gate', 'a random model'])
  await vi.waitFor(() => expect(edge.model?.items).toBe(42), 20_000)
  const left = edge.model?.epoch ?? 0
  const back = await cli(['rollback', '--bridge', state])
  expect(back).toMatchObject({ code: 0, json: { bridge: { epoch: 1 } } })
  await vi.waitFor(() => expect(edge.model).toMatchObject({ items: 41, epoch: left + 1 }), 20_000)
  // The click that the first model had on top is counted again, once.
  await vi.waitFor(() => expect(service.bridge?.model.counts.steps(2)).toBe(1), 10_000)
  expect(edge.model?.manifest.gate).toMatchObject({
    report: { verdict: 'overridden', override: { why: 'rolled back to epoch 1' } },
  })
  const gone = await cli(['rollback', '--bridge', state, '--epoch', '77'])
  expect(gone.json).toMatchObject({ error: { code: 'EPOCH_MISSING' } })
}, 60_000)
