import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { connect, createServer, type AddressInfo } from 'node:net'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CosmosClient } from '@azure/cosmos'
import { DATABASE, DECISIONS_CONTAINER } from '@attune/core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { environmentOf } from './host/options.ts'
import { serveNode, startNodeEdge } from './node.ts'
import { Api, edgeOptions } from './testing/api.ts'
import { createWorld, type World } from './testing/worlds.ts'

let world: World
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attune-node-'))
  world = await createWorld(startNodeEdge, { edges: 0 })
})

afterAll(async () => {
  await world.close()
  await rm(folder, { recursive: true, force: true })
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

test('metrics have a port of their own without a key, where there is nothing else; it ends with the edge', async () => {
  const { cosmos, signer } = world
  const metricsPort = await freePort()
  const edge = await serveNode(
    environmentOf(edgeOptions({ endpoint: cosmos.endpoint, key: cosmos.key }, signer)),
    { port: 0, hostname: '127.0.0.1', models: folder, metricsPort },
  )
  const inside = `http://127.0.0.1:${metricsPort}`
  const response = await fetch(`${inside}/metrics`)
  expect([response.status, await response.text()]).toEqual([200, expect.stringContaining('attune_epoch 0\n')])
  expect((await fetch(`${inside}/v1/models`)).status).toBe(404)
  expect((await fetch(`${edge.url}/metrics`)).status).toBe(401)
  await edge.close()
  await expect(fetch(`${inside}/metrics`)).rejects.toThrow()
})

test('where no admin key is configured there is no live page', async () => {
  const { cosmos, signer } = world
  const { adminKey: _, ...options } = edgeOptions({ endpoint: cosmos.endpoint, key: cosmos.key }, signer)
  const edge = await startNodeEdge(options)
  expect((await fetch(`${edge.url}/studio`)).status).toBe(404)
  expect((await fetch(`${edge.url}/studio/api/live`)).status).toBe(404)
  await edge.close()
})

test('an edge that ends sends the traces it holds, and its metrics', async () => {
  const { cosmos, signer } = world
  const received: string[] = []
  const collector = createHttpServer((request, response) => {
    request.resume().on('end', () => {
      received.push(request.url ?? '')
      response.end('{}')
    })
  }).listen(0, '127.0.0.1')
  await once(collector, 'listening')
  const { port } = collector.address() as AddressInfo
  const options = edgeOptions({ endpoint: cosmos.endpoint, key: cosmos.key }, signer)
  const settings = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` }
  const edge = await startNodeEdge({ ...options, settings })
  await fetch(`${edge.url}/healthz`)
  await edge.close()
  expect(received.toSorted()).toEqual(['/v1/metrics', '/v1/traces'])
  collector.closeAllConnections()
  collector.close()
})

test('an edge that ends writes what it has shown, without waiting for the half second', async () => {
  const { cosmos, signer, artifact } = world
  const options = edgeOptions({ endpoint: cosmos.endpoint, key: cosmos.key }, signer)
  const edge = await startNodeEdge({ ...options, settings: { ATTUNE_DECISIONS: '1' } })
  const api = new Api(edge.url)
  await api.pushArtifact(signer, artifact)
  const visitor = await api.visitor()
  const answer = await api.rank({ visitor, strategy: 'trending' })
  await edge.close()
  const client = new CosmosClient({ endpoint: cosmos.endpoint, key: cosmos.key })
  const { resource } = await client
    .database(DATABASE)
    .container(DECISIONS_CONTAINER.id)
    .item(answer.body.decision, `shop:${visitor.slice(0, 22)}`)
    .read()
  expect(resource).toMatchObject({ decisions: [{ id: answer.body.decision }] })
})

test('an address that may ask two requests at once has two connections open, behind a proxy as many as it likes', async () => {
  const { cosmos, signer } = world
  const options = edgeOptions({ endpoint: cosmos.endpoint, key: cosmos.key }, signer)
  for (const trustProxy of [false, true]) {
    const edge = await startNodeEdge({
      ...options,
      trustProxy,
      limits: { address: { perSecond: 9, burst: 2 } },
    })
    const sockets = Array.from({ length: 3 }, () => connect(Number(new URL(edge.url).port), '127.0.0.1'))
    const heard = sockets.map(async (socket) => {
      socket.on('error', () => undefined)
      socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n')
      const ended = once(socket, 'close').then(() => false)
      return Promise.race([once(socket, 'data').then(() => true), ended]).catch(() => false)
    })
    expect((await Promise.all(heard)).filter(Boolean)).toHaveLength(trustProxy ? 3 : 2)
    for (const socket of sockets) socket.destroy()
    await edge.close()
  }
})
