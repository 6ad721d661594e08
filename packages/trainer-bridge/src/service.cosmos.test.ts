import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ContainerRequest } from '@azure/cosmos'
import { LEASES_CONTAINER } from '@attune/core'
import { afterEach, expect, test, vi } from 'vitest'
import { writeArtifact } from './artifact/folder.ts'
import { generateSigningKey } from './artifact/sign.ts'
import { startBridgeWorld, type BridgeWorld } from './testing/bridge-world.ts'
import { cli } from './testing/cli.ts'
import { storeClicks } from './testing/events-container.ts'
import { randomArtifact } from './testing/random-model.ts'

let world: BridgeWorld
afterEach(() => world.close())

function launch(env: Record<string, string>): { child: ChildProcess; output: () => string } {
  const child = spawn(
    process.execPath,
    ['--conditions=@attune/source', '--no-warnings', join(import.meta.dirname, 'main.ts')],
    {
      env: { PATH: process.env['PATH'] ?? '', ...env },
    },
  )
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()))
  world.later(() => child.kill('SIGKILL'))
  return { child, output: () => text }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

test(
  'the service starts from an artifact folder, tells health and metrics, and ends in order on SIGTERM',
  { timeout: 120_000 },
  async () => {
    world = await startBridgeWorld()
    const { cosmos, container, edge, signingKey, folder } = world
    await writeArtifact(join(folder, 'initial'), await randomArtifact(50, 4))
    const settings = {
      COSMOS_ENDPOINT: cosmos.endpoint,
      COSMOS_KEY: cosmos.key,
      ATTUNE_EDGES: edge.url,
      ATTUNE_PUSH_KEY: edge.pushKey,
      ATTUNE_SIGNING_KEY: JSON.stringify(signingKey),
      ATTUNE_FOLDER: join(folder, 'state'),
      ATTUNE_INITIAL: join(folder, 'initial'),
      HOST: '127.0.0.1',
      PORT: '0',
    }
    const examined = await cli(['doctor', '--json'], settings)
    expect(examined.json()).toMatchObject({ ok: true })
    const { child, output } = launch(settings)
    const health = await vi.waitFor(() => {
      const url = /"health":"([^"]+)"/.exec(output())?.[1]
      expect(url, output()).toBeDefined()
      return url ?? ''
    }, 40_000)
    await storeClicks(container, 'v', ['item-1', 'item-2'])
    await vi.waitFor(() => expect(edge.model?.delta).toBe(1), 10_000)
    expect(await (await fetch(health)).json()).toMatchObject({
      ok: true,
      epoch: 1,
      delta: 1,
      edges: [{ url: edge.url }],
    })
    const metrics = await (await fetch(health.replace('healthz', 'metrics'))).text()
    expect(metrics).toContain('\nattune_events_total 2\n')
    await vi.waitFor(async () => {
      const text = await (await fetch(health.replace('healthz', 'metrics'))).text()
      expect(text).toContain(`attune_edge_state{edge="${edge.url}",state="current"} 1`)
    })
    // A model trained anew, handed over by the operator's command, is the next epoch.
    const handed = await cli([
      'push',
      '--artifact',
      join(folder, 'initial'),
      '--bridge',
      join(folder, 'state'),
    ])
    expect([handed.code, handed.text]).toEqual([0, expect.stringContaining('handed to the bridge')])
    await vi.waitFor(() => expect(edge.model?.epoch).toBe(2), 10_000)
    await vi.waitFor(async () => expect(await readdir(join(folder, 'state'))).not.toContain('next'), 10_000)

    const started = Date.now()
    child.kill('SIGTERM')
    const [code] = (await once(child, 'exit')) as [number]
    expect(code).toBe(0)
    expect(Date.now() - started).toBeLessThan(20_000)
  },
)

test(
  'two services share the work: one leads, the other takes over on SIGTERM in the same epoch, lag is told by both',
  { timeout: 120_000 },
  async () => {
    world = await startBridgeWorld({ throughput: 40_000 })
    const { cosmos, container, edge, signingKey, folder } = world
    await container.database.containers.createIfNotExists(
      structuredClone(LEASES_CONTAINER) as ContainerRequest,
    )
    await writeArtifact(join(folder, 'initial'), await randomArtifact(50, 4))
    const start = async (clusterPort: number) => {
      const { child, output } = launch({
        COSMOS_ENDPOINT: cosmos.endpoint,
        COSMOS_KEY: cosmos.key,
        ATTUNE_EDGES: edge.url,
        ATTUNE_PUSH_KEY: edge.pushKey,
        ATTUNE_SIGNING_KEY: JSON.stringify(signingKey),
        ATTUNE_FOLDER: join(folder, 'state'),
        ATTUNE_INITIAL: join(folder, 'initial'),
        ATTUNE_CLUSTER_HOST: '127.0.0.1',
        ATTUNE_CLUSTER_PORT: String(clusterPort),
        HOST: '127.0.0.1',
        PORT: '0',
      })
      const url = await vi.waitFor(() => {
        const health = /"health":"([^"]+)"/.exec(output())?.[1]
        expect(health, output()).toBeDefined()
        return health ?? ''
      }, 40_000)
      const get = (path: string) => fetch(url.replace('healthz', path))
      await vi.waitFor(async () => expect((await get('readyz')).status).toBe(200), 20_000)
      return {
        child,
        get,
        health: async () => (await (await get('healthz')).json()) as Record<string, unknown>,
      }
    }
    const one = await start(await freePort())
    await vi.waitFor(async () => expect((await one.health())['leads']).toBe(true), 20_000)
    const two = await start(await freePort())
    await vi.waitFor(async () => {
      expect([(await one.health())['ranges'], (await two.health())['ranges']]).toEqual([2, 2])
    }, 30_000)
    for (let visitor = 0; visitor < 20; visitor++) await storeClicks(container, `v${visitor}`, ['item-1'])
    const tells = (service: typeof one, ...wanted: RegExp[]) =>
      vi.waitFor(async () => {
        const metrics = await (await service.get('metrics')).text()
        for (const line of wanted) expect(metrics).toMatch(line)
      }, 20_000)
    const caughtUp = /\nattune_feed_lag_seconds\{feed="events",range="[^"]*"\} 0\n/
    await tells(one, /\nattune_events_total 20\n/, /\nattune_leads 1\n/, caughtUp)
    await tells(two, /\nattune_leads 0\n/, caughtUp)

    const started = Date.now()
    one.child.kill('SIGTERM')
    const [code] = (await once(one.child, 'exit')) as [number]
    expect([code, Date.now() - started < 20_000]).toEqual([0, true])
    await vi.waitFor(async () => expect(await two.health()).toMatchObject({ leads: true, ranges: 4 }), 20_000)
    await storeClicks(container, 'v0', ['item-2'])
    await vi.waitFor(async () => {
      expect(await two.health()).toMatchObject({ epoch: 1, edges: [{ state: 'current' }] })
    }, 20_000)
    expect(edge.model?.epoch).toBe(1)
  },
)

test('doctor finds a signing key the edge does not trust, a missing container and an edge that is away', async () => {
  world = await startBridgeWorld()
  await world.container.delete()
  const { cosmos, edge } = world
  edge.stage = (method) =>
    method === 'PUT' ? { status: 401, code: 'ARTIFACT_SIGNATURE_INVALID' } : undefined
  const examined = await cli(['doctor', '--json'], {
    COSMOS_ENDPOINT: cosmos.endpoint,
    COSMOS_KEY: cosmos.key,
    ATTUNE_EDGES: `${edge.url},http://127.0.0.1:9`,
    ATTUNE_PUSH_KEY: edge.pushKey,
    ATTUNE_SIGNING_KEY: JSON.stringify(await generateSigningKey()),
    ATTUNE_FOLDER: join(tmpdir(), 'attune-none'),
  })
  expect(examined.code).toBe(1)
  const { issues } = examined.json()['error'] as { issues: { path: string; message: string }[] }
  const found = new Map(issues.map(({ path, message }) => [path, message]))
  expect([...found.keys()]).toEqual(['cosmos', 'model', edge.url, 'http://127.0.0.1:9'])
  expect(found.get('cosmos')).toContain('CONTAINER_MISSING')
  expect(found.get(edge.url)).toContain('ATTUNE_VERIFY_KEYS')
})

test('settings that are wrong end it with code 1 and all of them on standard error', async () => {
  world = await startBridgeWorld()
  const { child, output } = launch({ COSMOS_ENDPOINT: 'nowhere' })
  const [code] = (await once(child, 'exit')) as [number]
  expect(code).toBe(1)
  for (const name of [
    'COSMOS_ENDPOINT',
    'COSMOS_KEY',
    'ATTUNE_EDGES',
    'ATTUNE_SIGNING_KEY',
    'ATTUNE_FOLDER',
  ]) {
    expect(output()).toContain(name)
  }
})
