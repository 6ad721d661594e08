import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { DATABASE, EVENTS_CONTAINER, type BatchDocument } from '@attune/core'
import { seededRandom } from '@attune/core/testing'
import { startCosmosLocal } from '@attune/cosmos-local'
import { provision } from '@attune/edge'
import {
  buildArtifact,
  generateSigningKey,
  nodeScanner,
  publicJwk,
  writeArtifact,
} from '@attune/trainer-bridge'
import { CosmosClient } from '@azure/cosmos'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { randomTrainedModel } from '../../packages/trainer-bridge/src/testing/random-model.ts'
import { buildImage, type Built, type ImageName } from '../images/build.ts'
import { canContain, makeRoot, startContainer, type RunningContainer } from './container.ts'
import { workloadsOf } from './manifest-rules.ts'
import type { Container, Manifest, PodSpec } from './manifests.ts'
import { renderedFile } from './render.ts'

// The production overlay's own commands, settings, users, volumes and probes, in the files of the images, against the
// local Cosmos. Left out are limits, seccomp and networks. ATTUNE_IMAGE_ROOTS names a folder with the whole roots of both
// images, `edge` and `bridge`, to take instead of files put together here (`npm run bench -- images`).

const objects = parseAllDocuments(await readFile(renderedFile('production'), 'utf8')).map(
  (document) => document.toJS() as Manifest,
)

const roots = process.env['ATTUNE_IMAGE_ROOTS']
let images = ''
const built = new Map<ImageName, Built>()
beforeAll(async () => {
  images = await mkdtemp(join(tmpdir(), 'attune-images-'))
  for (const name of ['edge', 'bridge'] as const) built.set(name, await buildImage(name, join(images, name)))
}, 300_000)
afterAll(() => rm(images, { recursive: true, force: true }))

const cleanup: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const action of cleanup.splice(0).reverse()) await action()
})

function podOf(name: string): { pod: PodSpec; container: Container; settings: Record<string, string> } {
  const workload = workloadsOf(objects).find(({ metadata }) => metadata.name === name)
  const pod = workload?.spec?.template?.spec
  const container = pod?.containers[0]
  if (pod === undefined || container === undefined) throw new Error(`expected a workload ${name}`)
  const map = container.envFrom?.flatMap(({ configMapRef }) => configMapRef?.name ?? []) ?? []
  const settings = Object.assign(
    {},
    ...objects
      .filter(({ kind, metadata }) => kind === 'ConfigMap' && map.includes(metadata.name))
      .map(({ data }) => data),
  ) as Record<string, string>
  return { pod, container, settings }
}

const contained = await canContain()
if (!contained && process.env['CI']) throw new Error('containers need root and namespaces of their own')

/** The manifest's command, user, volumes and read-only root in the files of its image; on a machine that has no namespaces for us, the command alone. */
async function launch(
  image: ImageName,
  { pod, container }: { pod: PodSpec; container: Container },
  env: Record<string, string>,
  claims: Record<string, string>,
): Promise<RunningContainer> {
  if (contained) {
    const root = roots === undefined ? await mkdtemp(join(tmpdir(), 'attune-root-')) : join(roots, image)
    if (roots === undefined) {
      cleanup.push(() => rm(root, { recursive: true, force: true }))
      await makeRoot(root)
    }
    const running = await startContainer({
      root,
      ...(roots === undefined && { image: join(images, image) }),
      pod,
      container,
      env,
      claims,
    })
    cleanup.push(() => void running.child.kill('SIGKILL'))
    return running
  }
  const [program = '', ...args] = container.command ?? []
  const mounted = Object.entries(env).map(([name, value]) => [name, onHost(value, container, claims)])
  const child = spawn(program, args, {
    cwd: join(images, image),
    env: {
      PATH: `${join(process.execPath, '..')}:${process.env['PATH'] ?? ''}`,
      ...Object.fromEntries(mounted),
    },
  })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()))
  cleanup.push(() => void child.kill('SIGKILL'))
  return {
    child,
    output: () => text,
    signal: async (name) => {
      child.kill(name)
    },
  }
}

/** A path in a volume → where its folder is on this machine. */
function onHost(value: string, { volumeMounts = [] }: Container, claims: Record<string, string>): string {
  const mount = volumeMounts.find(
    ({ name, mountPath }) => claims[name] !== undefined && value.startsWith(mountPath),
  )
  return mount === undefined ? value : value.replace(mount.mountPath, claims[mount.name] ?? '')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Asks as the kubelet does, until it is answered well. */
async function passes(
  container: Container,
  kind: 'startupProbe' | 'readinessProbe' | 'livenessProbe',
  url: string,
  output: () => string,
): Promise<void> {
  const path = container[kind]?.httpGet?.path ?? 'no path'
  await vi.waitFor(
    async () => {
      const answer = await fetch(`${url}${path}`).catch(() => undefined)
      expect(answer?.status, output()).toBe(200)
    },
    { timeout: 30_000, interval: 100 },
  )
}

async function post(
  url: string,
  path: string,
  body: unknown,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`${url}${path}?key=pk_replace_me`, {
    method: 'POST',
    body: JSON.stringify(body),
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

test('edge and bridge start from the manifests, pass their probes, rank a click, and end on SIGTERM with nothing lost', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'attune-workloads-'))
  cleanup.push(() => rm(folder, { recursive: true, force: true }))
  const cosmos = await startCosmosLocal({ port: 0 })
  cleanup.push(() => cosmos.close())
  await provision(
    { endpoints: [cosmos.endpoint], key: cosmos.key, database: DATABASE },
    { fetch, now: Date.now },
  )
  const signingKey = await generateSigningKey()

  const edge = podOf('attune-edge')
  const edgePort = await freePort()
  const url = `http://127.0.0.1:${edgePort}`
  const models = join(folder, 'models')
  await mkdir(models)
  const edgeEnv = {
    ...edge.settings,
    PORT: String(edgePort),
    ATTUNE_METRICS_PORT: String(await freePort()),
    HOST: '127.0.0.1',
    ATTUNE_VERIFY_KEYS: JSON.stringify([publicJwk(signingKey)]),
    ATTUNE_PUSH_KEYS: 'p'.repeat(32),
    ATTUNE_VISITOR_SECRETS: 'v'.repeat(32),
    COSMOS_ENDPOINTS: cosmos.endpoint,
    // There is no Entra ID here to sign in to.
    COSMOS_IDENTITY: '',
    COSMOS_KEY: cosmos.key,
  }
  const edgeProcess = await launch('edge', edge, edgeEnv, { models })
  for (const probe of ['startupProbe', 'livenessProbe'] as const)
    await passes(edge.container, probe, url, edgeProcess.output)
  const early = await fetch(`${url}${edge.container.readinessProbe?.httpGet?.path}`)
  expect(early.status).toBe(503)

  const bridge = podOf('attune-bridge')
  const bridgePort = await freePort()
  const state = join(folder, 'state')
  await mkdir(state)
  await writeArtifact(
    join(state, 'initial'),
    await buildArtifact(randomTrainedModel(50), {
      epoch: 1,
      parent: null,
      created: '2026-01-01T00:00:00.000Z',
      trainer: 'test/1',
      makeScanner: nodeScanner,
      random: seededRandom(1),
    }),
  )
  const bridgeEnv = {
    ...bridge.settings,
    PORT: String(bridgePort),
    HOST: '127.0.0.1',
    // As the pod's own address, which the manifest takes from its status.
    ATTUNE_CLUSTER_HOST: '127.0.0.1',
    ATTUNE_CLUSTER_PORT: String(await freePort()),
    ATTUNE_EDGES: url,
    ATTUNE_PUSH_KEY: 'p'.repeat(32),
    ATTUNE_SIGNING_KEY: JSON.stringify(signingKey),
    COSMOS_ENDPOINT: cosmos.endpoint,
    COSMOS_IDENTITY: '',
    COSMOS_KEY: cosmos.key,
  }
  const bridgeProcess = await launch('bridge', bridge, bridgeEnv, { state })
  for (const probe of ['startupProbe', 'readinessProbe', 'livenessProbe'] as const)
    await passes(bridge.container, probe, `http://127.0.0.1:${bridgePort}`, bridgeProcess.output)

  for (const { privileges } of [edgeProcess, bridgeProcess]) {
    if (privileges === undefined) continue
    const seen = { user: 10001, capabilities: 0n, noNewPrivileges: true, readOnlyRoot: true }
    expect(await privileges()).toEqual(seen)
  }
  await passes(edge.container, 'readinessProbe', url, edgeProcess.output)
  const { visitor } = (await post(url, '/v1/visitors', {})).body
  await vi.waitFor(
    async () => {
      const ranked = await post(url, '/v1/rank', { slot: 'for-you', visitor, k: 5 })
      expect(ranked.status, bridgeProcess.output()).toBe(200)
      expect(ranked.body['items']).toHaveLength(5)
    },
    { timeout: 30_000, interval: 200 },
  )

  // Clicks come in while the edge is told to end: each that was answered 202 has to be in Cosmos.
  const answered: string[] = []
  const sending = new AbortController()
  const senders = Array.from({ length: 4 }, async () => {
    while (!sending.signal.aborted) {
      const batch = crypto.randomUUID()
      const event = { id: crypto.randomUUID(), kind: 'click', item: 'item-3', at: Date.now() }
      const answer = await post(url, '/v1/events', { batch, visitor, events: [event] }).catch(() => undefined)
      if (answer === undefined) return
      if (answer.status === 202) answered.push(batch)
    }
  })
  await vi.waitFor(() => expect(answered.length).toBeGreaterThan(20), 20_000)
  const preStop = edge.container.lifecycle?.preStop?.sleep?.seconds ?? 0
  await endsWithin(edgeProcess, (edge.pod.terminationGracePeriodSeconds ?? 30) - preStop)
  sending.abort()
  await Promise.all(senders)
  const client = new CosmosClient({ endpoint: cosmos.endpoint, key: cosmos.key })
  cleanup.push(() => client.dispose())
  const { resources } = await client
    .database(DATABASE)
    .container(EVENTS_CONTAINER.id)
    .items.query<BatchDocument>('SELECT * FROM c')
    .fetchAll()
  const stored = new Set(resources.map(({ id }) => id))
  expect(answered.filter((batch) => !stored.has(batch))).toEqual([])

  await endsWithin(bridgeProcess, bridge.pod.terminationGracePeriodSeconds ?? 30)
})

/** SIGTERM, then an end by itself with status 0 before the kubelet would kill. */
async function endsWithin({ child, signal: send }: RunningContainer, seconds: number): Promise<void> {
  const started = Date.now()
  const exit = once(child, 'exit')
  await send('SIGTERM')
  const [code, signal] = (await exit) as [number | null, string | null]
  expect({ code, signal }).toEqual({ code: 0, signal: null })
  expect(Date.now() - started).toBeLessThan(seconds * 1_000)
}

test('images hold what runs and no more, and say what it is', async () => {
  for (const [name, { bytes, packages }] of built) {
    expect(bytes).toBeLessThan(50_000_000)
    const sbom = JSON.parse(await readFile(join(images, name, 'sbom.cdx.json'), 'utf8')) as {
      components: { name: string; version: string; purl: string }[]
    }
    expect(sbom.components).toHaveLength(packages)
    expect(sbom.components.map((component) => component.name)).toEqual(
      expect.arrayContaining(['@attune/core', 'jose', 'onnxruntime-web']),
    )
    const files = await readdir(join(images, name), { recursive: true, withFileTypes: true })
    expect(files.filter((file) => file.isFile() && /\.(map|ts|py)$/.test(file.name))).toEqual([])
    const links = await Promise.all(
      files.filter((file) => file.isFile()).map((file) => stat(join(file.parentPath, file.name))),
    )
    // A file that is linked is one of the checkout's own.
    expect(links.filter(({ nlink, mtimeMs }) => nlink > 1 || mtimeMs !== 0)).toEqual([])
  }
})

test('what is loaded only with an identity is in the image too', async () => {
  const file = join(images, 'edge', 'dist', 'cosmos', 'workload-identity.js')
  const code = `const { workloadIdentity } = await import(${JSON.stringify(file)}); console.log(typeof workloadIdentity)`
  const env = { AZURE_CLIENT_ID: 'c', AZURE_TENANT_ID: 't', AZURE_FEDERATED_TOKEN_FILE: 'f' }
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code], { env })
  expect(stdout).toBe('function\n')
})
