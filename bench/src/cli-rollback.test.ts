import { join } from 'node:path'
import { startNodeEdge } from '@attune/edge/node'
import { buildArtifact, nodeScanner, runCli, writeArtifact } from '@attune/trainer-bridge'
import { seededRandom } from '@attune/core/testing'
import { afterEach, expect, test } from 'vitest'
import { startHouse } from './_loop.ts'
import { randomModel } from './_model.ts'
import { models } from './_visitor.ts'

const cleanup: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const action of cleanup.splice(0).reverse()) await action()
})

test('attune push and rollback on a real edge: it tells the gate’s verdict, goes back, and a newer push goes past what was left', async () => {
  const adminKey = 'admin-key-of-this-test'
  const house = await startHouse(1, (options) => startNodeEdge({ ...options, adminKey }))
  cleanup.push(() => house.close())
  const url = house.edges[0]?.url ?? ''
  const env = {
    ATTUNE_EDGES: url,
    ATTUNE_PUSH_KEY: house.pushKey,
    ATTUNE_ADMIN_KEY: adminKey,
    ATTUNE_SIGNING_KEY: JSON.stringify(house.signingKey),
  }
  const cli = async (...argv: string[]) => {
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
    expect(code, out.join()).toBe(0)
    return JSON.parse(out.at(-1) ?? '{}') as Record<string, unknown>
  }
  const folder = join(house.folder, 'models')
  const make = async (epoch: number, items: number) =>
    writeArtifact(
      folder,
      await buildArtifact(randomModel(items), {
        epoch,
        parent: null,
        created: new Date(1_764_000_000_000 + epoch).toISOString(),
        trainer: 'random/0',
        makeScanner: nodeScanner,
        random: seededRandom(epoch),
      }),
    )
  await make(1, 60)
  await cli('push', '--artifact', folder)
  await make(2, 70)
  await cli('push', '--artifact', folder, '--override-gate', 'random models')
  const told = await models(url, house.pushKey)
  expect(told.serving).toMatchObject({ epoch: 2, items: 70 })
  expect(told.gate).toMatchObject({ report: { verdict: 'overridden', override: { why: 'random models' } } })

  expect(await cli('rollback')).toMatchObject({ edges: [{ url, epoch: 1 }] })
  expect((await models(url, house.pushKey)).serving).toMatchObject({ epoch: 1, items: 60 })
  // What was left is still known: the number goes past it.
  await make(3, 80)
  await cli('push', '--artifact', folder, '--override-gate', 'random models')
  expect((await models(url, house.pushKey)).serving).toMatchObject({ epoch: 3, items: 80 })
}, 60_000)
