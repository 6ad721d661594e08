import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DATABASE, EVENTS_CONTAINER, LEASES_CONTAINER } from '@attune/core'
import { startCosmosLocal } from '@attune/cosmos-local'
import { startChangeFeedProcessor } from '@attune/trainer-bridge/change-feed'
import { CosmosClient, type Container, type ContainerRequest } from '@azure/cosmos'
import { parseAllDocuments } from 'yaml'
import { renderedFile } from '../checks/render.ts'
import { kedaKinds } from './binaries.ts'
import { issue, makeAuthority } from './certificates.ts'
import { freePorts, type ControlPlane } from './control-plane.ts'
import { poll } from './poll.ts'

const NAMESPACE = 'attune'
const NAME = 'attune-bridge'

/** What KEDA did to the bridges. */
export interface LagScaling {
  /** Changes that wait in the feed → what KEDA read out of the leases, and pods, beside the number worked out by hand. */
  readonly lag: readonly {
    readonly waiting: number
    readonly read: number
    readonly pods: number
    readonly expected: number
  }[]
  /** Pods once Cosmos answers no more: those of `fallback`. */
  readonly fallback: number
}

/** KEDA's definitions of its own kinds, as its release has them. */
export async function applyKedaKinds({ kubectl }: ControlPlane): Promise<void> {
  const folder = kedaKinds()
  const files = (await readdir(folder)).filter((file) => file.endsWith('.yaml'))
  const paths = files.flatMap((file) => ['-f', join(folder, file)])
  await kubectl(['apply', '--server-side', ...paths])
  await kubectl(['wait', '--for=condition=Established', '--timeout=60s', ...paths])
}

/** Starts KEDA's operator and metrics server, and puts the latter where autoscalers ask for external metrics. */
async function startKeda(plane: ControlPlane): Promise<void> {
  const { folder, kubeconfig } = plane
  const authority = await makeAuthority(folder, 'ca')
  // Both read ca.crt, tls.crt and tls.key of this folder.
  await issue(authority, folder, 'localhost', 'tls')
  const [service = 0, secure = 0, metrics = 0, probes = 0, adapter = 0] = await freePorts(5)
  const env = { POD_NAMESPACE: 'keda', KEDA_CLUSTER_OBJECT_NAMESPACE: 'keda', WATCH_NAMESPACE: '' }
  await plane.kubectl(['create', 'namespace', 'keda'])
  await plane.start(
    'keda-operator',
    {
      kubeconfig,
      'cert-dir': folder,
      'metrics-service-bind-address': `127.0.0.1:${service}`,
      'metrics-bind-address': `127.0.0.1:${metrics}`,
      'health-probe-bind-address': `127.0.0.1:${probes}`,
    },
    env,
  )
  await plane.start(
    'keda-adapter',
    {
      kubeconfig,
      'lister-kubeconfig': kubeconfig,
      'authentication-kubeconfig': kubeconfig,
      'authorization-kubeconfig': kubeconfig,
      'cert-dir': folder,
      'tls-cert-file': join(folder, 'tls.crt'),
      'tls-private-key-file': join(folder, 'tls.key'),
      'metrics-service-address': `localhost:${service}`,
      'bind-address': '127.0.0.1',
      'secure-port': secure,
      port: adapter,
    },
    env,
  )
  const at = { name: 'keda-metrics-apiserver', namespace: 'keda' }
  const items = [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: at,
      spec: { type: 'ExternalName', externalName: 'localhost', ports: [{ port: secure }] },
    },
    {
      apiVersion: 'apiregistration.k8s.io/v1',
      kind: 'APIService',
      metadata: { name: 'v1beta1.external.metrics.k8s.io' },
      spec: {
        group: 'external.metrics.k8s.io',
        version: 'v1beta1',
        service: { ...at, port: secure },
        insecureSkipTLSVerify: true,
        groupPriorityMinimum: 100,
        versionPriority: 100,
      },
    },
  ]
  await plane.kubectl(['apply', '-f', '-'], list(items))
}

function list(items: readonly object[]): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
}

interface ScaledObject {
  readonly kind: string
  readonly metadata: { readonly name: string }
  readonly spec: {
    readonly minReplicaCount: number
    readonly maxReplicaCount: number
    readonly fallback: { readonly replicas: number }
    readonly triggers: readonly {
      readonly type: string
      readonly metadata: Readonly<Record<string, string>>
    }[]
  }
}

/** The production overlay's own, asking a local account with its key, every second, and without waiting before it shrinks. */
async function scaledObject(connection: string): Promise<{ objects: object[]; own: ScaledObject['spec'] }> {
  const documents = parseAllDocuments(await readFile(renderedFile('production'), 'utf8'))
  const found = documents
    .map((document) => document.toJS() as ScaledObject)
    .find(({ kind, metadata }) => kind === 'ScaledObject' && metadata.name === NAME)
  const trigger = found?.spec.triggers.find(({ type }) => type === 'azure-cosmosdb')
  if (found === undefined || trigger === undefined)
    throw new Error(`the production overlay: expected a ScaledObject ${NAME} with a trigger azure-cosmosdb`)
  const metadata = Object.fromEntries(
    Object.entries(trigger.metadata).filter(([name]) => name !== 'endpoint'),
  )
  const behavior = {
    scaleDown: {
      stabilizationWindowSeconds: 0,
      policies: [{ type: 'Pods', value: 4, periodSeconds: 1 }],
    },
  }
  const objects = [
    // The secrets driver makes it of the vault's when a pod starts; KEDA looks all of its target's settings up.
    { apiVersion: 'v1', kind: 'Secret', metadata: { name: NAME, namespace: NAMESPACE } },
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'cosmos-local', namespace: NAMESPACE },
      stringData: { connection },
    },
    {
      apiVersion: 'keda.sh/v1alpha1',
      kind: 'TriggerAuthentication',
      metadata: { name: 'cosmos-local', namespace: NAMESPACE },
      spec: { secretTargetRef: [{ parameter: 'connection', name: 'cosmos-local', key: 'connection' }] },
    },
    {
      ...found,
      spec: {
        ...found.spec,
        pollingInterval: 1,
        advanced: { horizontalPodAutoscalerConfig: { behavior } },
        triggers: [{ ...trigger, metadata, authenticationRef: { name: 'cosmos-local' } }],
      },
    },
  ]
  return { objects, own: found.spec }
}

/**
 * Lets KEDA scale the bridges by what waits in a change feed of ours: leases written by our processor, documents counted
 * by us, numbers of pods by hand: ceil(waiting / threshold), between the manifest's minimum and maximum.
 *
 * @throws {Error} when KEDA reads another number or pods do not become as many
 */
export async function scaleByLag(plane: ControlPlane): Promise<LagScaling> {
  const cosmos = await startCosmosLocal({ port: 0 })
  let running = true
  const client = new CosmosClient({ endpoint: cosmos.endpoint, key: cosmos.key })
  try {
    const { events, leases } = await containers(client)
    await readAll(events, leases, cosmos.endpoint)
    await startKeda(plane)
    const connection = `AccountEndpoint=${cosmos.endpoint};AccountKey=${cosmos.key};`
    const { objects, own } = await scaledObject(connection)
    await plane.kubectl(['apply', '-f', '-'], list(objects))
    const threshold = Number(own.triggers[0]?.metadata['changeFeedLagThreshold'])
    const lag = []
    let waiting = 0
    for (const more of [0, 2.4 * threshold, 1.1 * threshold]) {
      await store(events, more)
      waiting += more
      const wanted = Math.ceil(waiting / threshold)
      const expected = Math.min(Math.max(wanted, own.minReplicaCount), own.maxReplicaCount)
      lag.push({ waiting, ...(await settled(plane, waiting, expected)), expected })
    }
    await cosmos.close()
    running = false
    const { pods } = await settled(plane, undefined, own.fallback.replicas)
    return { lag, fallback: pods }
  } finally {
    client.dispose()
    if (running) await cosmos.close()
  }
}

async function containers(client: CosmosClient): Promise<{ events: Container; leases: Container }> {
  const { database } = await client.databases.createIfNotExists({ id: DATABASE })
  const make = async (definition: object, throughput?: number): Promise<Container> => {
    const request = { ...structuredClone(definition), ...(throughput !== undefined && { throughput }) }
    return (await database.containers.createIfNotExists(request as ContainerRequest)).container
  }
  // 40,000 RU/s: four partitions.
  return { events: await make(EVENTS_CONTAINER, 40_000), leases: await make(LEASES_CONTAINER) }
}

/** Our processor reads what there is and leaves its place in the leases. */
async function readAll(container: Container, leases: Container, endpoint: string): Promise<void> {
  await store(container, 40)
  let seen = 0
  const processor = await startChangeFeedProcessor({
    container,
    leases,
    endpoint,
    name: 'attune',
    roundMs: 50,
    onChanges: (documents) => {
      seen += documents.length
      return Promise.resolve()
    },
  })
  const done = await poll(() => Promise.resolve(seen === 40))
  await processor.stop()
  if (!done) throw new Error(`expected 40 changes in the feed, received ${seen}`)
}

let stored = 0

async function store(container: Container, count: number): Promise<void> {
  for (let left = count; left > 0; left -= 100) {
    const some = Array.from({ length: Math.min(100, left) }, () => `${stored++}`)
    await Promise.all(some.map((id) => container.items.create({ id, visitor: `v${id}` })))
  }
}

interface Metric {
  readonly items: readonly { readonly value: string }[]
}

interface Lagging {
  readonly spec: {
    readonly metrics: readonly { readonly external?: { readonly metric: { readonly name: string } } }[]
  }
  readonly status?: { readonly desiredReplicas: number }
}

/** Waits until KEDA reads `waiting` and the workload has as many ready pods as expected. */
async function settled(
  plane: ControlPlane,
  waiting: number | undefined,
  expected: number,
): Promise<{ read: number; pods: number }> {
  let [read, pods, last] = [-1, 0, '']
  const reached = await poll(async () => {
    try {
      if (waiting !== undefined) read = await lagByKeda(plane)
      const { status } = await plane.get<{ status: { readyReplicas?: number; replicas: number } }>(
        'statefulset',
        NAME,
        '-n',
        NAMESPACE,
      )
      pods = status.readyReplicas ?? 0
      return (waiting === undefined || read === waiting) && pods === expected && status.replicas === expected
    } catch (error) {
      last = String(error)
      return false
    }
  })
  if (reached) return { read, pods }
  const { out } = await plane.kubectl(['describe', 'hpa,scaledobject', '-n', NAMESPACE])
  const logs = await Promise.all((['keda-operator', 'keda-adapter'] as const).map((name) => plane.log(name)))
  throw new Error(
    `${waiting ?? 'no answer'} waiting: expected KEDA to read them and ${expected} ready pods, received ${read} and ${pods}; ${last}\n` +
      [out, ...logs].map((text) => text.slice(-3_000)).join('\n'),
  )
}

async function lagByKeda(plane: ControlPlane): Promise<number> {
  const { spec } = await plane.get<Lagging>('hpa', `keda-hpa-${NAME}`, '-n', NAMESPACE)
  const name = spec.metrics.find(({ external }) => external !== undefined)?.external?.metric.name ?? ''
  const selector = encodeURIComponent(`scaledobject.keda.sh/name=${NAME}`)
  const path = `/apis/external.metrics.k8s.io/v1beta1/namespaces/${NAMESPACE}/${name}?labelSelector=${selector}`
  const { items } = JSON.parse((await plane.kubectl(['get', '--raw', path])).out) as Metric
  const [value = ''] = items.map((item) => item.value)
  // A quantity of Kubernetes: thousands may be told as "12k", thousandths as "500m".
  const [, digits = '', unit = ''] = /^(\d+)([mk]?)$/.exec(value) ?? []
  return Number(digits) * (unit === 'k' ? 1_000 : unit === 'm' ? 0.001 : 1)
}
