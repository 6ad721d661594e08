import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { renderedFile } from '../checks/render.ts'
import type { Binaries } from './binaries.ts'
import { startControlPlane, type ControlPlane } from './control-plane.ts'
import { applyKedaKinds, scaleByLag, type LagScaling } from './keda.ts'
import { metricsApiObjects, startMetricsApi } from './metrics-api.ts'
import { poll } from './poll.ts'

const NAMESPACE = 'attune'
const CRDS = join(import.meta.dirname, '..', 'checks', 'crds')

interface Named {
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> }
}

interface PodObject extends Named {
  readonly spec: { readonly nodeName?: string }
  readonly status: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
  }
}

interface Autoscaler {
  readonly spec: { readonly minReplicas: number; readonly maxReplicas: number }
  readonly status?: {
    readonly desiredReplicas: number
    readonly currentMetrics?: readonly {
      readonly resource?: { readonly current: { averageUtilization?: number } }
    }[]
  }
}

/** What a run on a real API server showed. */
export interface Rehearsal {
  readonly kubernetes: string
  /** Objects of the staging overlay that the API server took. */
  readonly applied: number
  /** Objects of the production overlay that it found valid. */
  readonly checked: number
  /** What it warned of. */
  readonly warnings: readonly string[]
  /** Pods that became ready on nodes, by zone of the node. */
  readonly zones: Readonly<Record<string, number>>
  /** CPU of all pods together in thousandths of a core → pods, beside the number worked out by hand. */
  readonly scaling: readonly {
    readonly load: number
    readonly pods: number
    readonly expected: number
  }[]
  /** Answers of the API server to evicting every edge pod at once: while one is gone the budget keeps the rest. */
  readonly evictions: readonly number[]
  /** Bridges by KEDA's own programs, on the lag that they read from our leases. */
  readonly keda: LagScaling
  /** Planted mistakes that the API server refused, with its words. */
  readonly refused: readonly string[]
}

/** Applies an overlay, lets controllers and the scheduler work, and drives the autoscaler with CPU of our choice. */
export async function rehearse(binaries: Binaries): Promise<Rehearsal> {
  const plane = await startControlPlane(binaries)
  const api = await startMetricsApi(async (namespace, selector) => {
    const { items } = await plane.get<{ items: Named[] }>('pods', '-n', namespace, '-l', selector)
    return items.map(({ metadata }) => ({ name: metadata.name, labels: metadata.labels ?? {} }))
  })
  try {
    await prepare(plane)
    await plane.kubectl(['apply', '-f', '-'], metricsApiObjects(api.port))
    const text = widened(await readFile(renderedFile('staging'), 'utf8'))
    const { out, err } = await plane.kubectl(['apply', '-f', '-'], text)
    const applied = out.trim().split('\n').length
    // Of the production overlay the API server checks every object and keeps none.
    const production = await readFile(renderedFile('production'), 'utf8')
    const dry = await plane.kubectl(['apply', '--dry-run=server', '-f', '-'], production)
    const warnings = `${err}\n${dry.err}`.split('\n').filter((line) => line.includes('Warning'))
    const scaling = []
    // A pod asks for 500m and is to use 60 % of it: ceil(load / 300m) pods, from 2 to 6.
    for (const [load, expected] of [
      [600, 2],
      [900, 3],
      [1_500, 5],
      [5_000, 6],
    ] as const) {
      api.load = load
      scaling.push({ load, pods: await settled(plane, load, expected), expected })
    }
    const zones = await zonesOf(plane)
    const version = JSON.parse((await plane.kubectl(['get', '--raw', '/version'])).out) as {
      gitVersion: string
    }
    return {
      kubernetes: version.gitVersion,
      applied,
      checked: dry.out.trim().split('\n').length,
      warnings,
      zones,
      scaling,
      evictions: await evictAll(plane),
      refused: await refuse(plane),
      keda: await scaleByLag(plane),
    }
  } finally {
    await plane.close()
    await api.close()
  }
}

/** The overlay with the base's own limits: 2 to 6 pods. */
function widened(text: string): string {
  const documents = parseAllDocuments(text)
  for (const document of documents) {
    if (document.get('kind') !== 'HorizontalPodAutoscaler') continue
    document.setIn(['spec', 'minReplicas'], 2)
    document.setIn(['spec', 'maxReplicas'], 6)
  }
  return documents.map(String).join('---\n')
}

/** What a cluster has before anything of ours: kinds, nodes in three zones, disks. */
async function prepare(plane: ControlPlane): Promise<void> {
  await applyKedaKinds(plane)
  const files = (await readdir(CRDS)).filter((file) => file.endsWith('.json') && !file.startsWith('keda'))
  const kinds = await Promise.all(files.map(async (file) => kindOf(await readFile(join(CRDS, file), 'utf8'))))
  const nodes = Array.from({ length: 6 }, (_, index) => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: `node-${index}`,
      labels: {
        'attune.dev/pool': 'work',
        'kubernetes.io/hostname': `node-${index}`,
        'topology.kubernetes.io/zone': `zone-${index % 3}`,
      },
    },
    status: {
      allocatable: { cpu: '4', memory: '16Gi', pods: '30' },
      capacity: { cpu: '4', memory: '16Gi', pods: '30' },
    },
  }))
  const storage = {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: 'managed-csi' },
    provisioner: 'kubernetes.io/no-provisioner',
    volumeBindingMode: 'WaitForFirstConsumer',
  }
  const disks = Array.from({ length: 12 }, (_, index) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `disk-${index}` },
    spec: {
      capacity: { storage: '64Gi' },
      accessModes: ['ReadWriteOncePod'],
      storageClassName: 'managed-csi',
      hostPath: { path: `/nowhere/${index}` },
    },
  }))
  const shared = {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: 'share' },
    spec: {
      capacity: { storage: '100Gi' },
      accessModes: ['ReadWriteMany'],
      storageClassName: 'attune-shared',
      hostPath: { path: '/nowhere/share' },
    },
  }
  const items = [...kinds, ...nodes, storage, ...disks, shared]
  await plane.kubectl(
    ['apply', '--server-side', '-f', '-'],
    JSON.stringify({ apiVersion: 'v1', kind: 'List', items }),
  )
  const names = kinds.map(({ metadata }) => `crd/${metadata.name}`)
  await plane.kubectl(['wait', '--for=condition=Established', ...names, '--timeout=60s'])
}

/** A snapshot of a custom resource's schema → its definition. */
function kindOf(text: string) {
  const { apiVersion, kind, schema } = JSON.parse(text) as {
    apiVersion: string
    kind: string
    schema: object
  }
  const [group = '', version = ''] = apiVersion.split('/')
  const singular = kind.toLowerCase()
  const plural = singular.endsWith('s') ? `${singular}es` : `${singular}s`
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind, plural, singular, listKind: `${kind}List` },
      versions: [{ name: version, served: true, storage: true, schema: { openAPIV3Schema: schema } }],
    },
  }
}

/** Waits until the autoscaler has seen the load spread over as many pods and the workload is as large as it asked, and stays so. */
async function settled(plane: ControlPlane, load: number, expected: number): Promise<number> {
  let pods = 0
  const share = Math.floor((Math.round(load / expected) * 100) / 500)
  const reached = await poll(async () => {
    const { status } = await plane.get<Autoscaler>('hpa', 'attune-edge', '-n', NAMESPACE)
    const seen = status?.currentMetrics?.[0]?.resource?.current.averageUtilization
    pods = await readyPods(plane)
    return seen === share && status?.desiredReplicas === expected && pods === expected
  })
  if (!reached) {
    const { out } = await plane.kubectl(['describe', 'hpa,pods', '-n', NAMESPACE])
    throw new Error(
      `${load}m of CPU: expected ${expected} ready pods, received ${pods}\n${out.slice(-4_000)}`,
    )
  }
  return pods
}

async function edgePods(plane: ControlPlane): Promise<readonly PodObject[]> {
  const label = 'app.kubernetes.io/name=attune-edge'
  return (await plane.get<{ items: PodObject[] }>('pods', '-n', NAMESPACE, '-l', label)).items
}

async function readyPods(plane: ControlPlane): Promise<number> {
  const pods = await edgePods(plane)
  const ready = ({ status }: PodObject) =>
    status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false
  return pods.filter(ready).length
}

async function zonesOf(plane: ControlPlane): Promise<Record<string, number>> {
  const nodes = await plane.get<{ items: Named[] }>('nodes')
  const zone = new Map(
    nodes.items.map(({ metadata }) => [
      metadata.name,
      metadata.labels?.['topology.kubernetes.io/zone'] ?? '',
    ]),
  )
  const count: Record<string, number> = {}
  for (const { spec } of await edgePods(plane)) {
    const name = zone.get(spec.nodeName ?? '') ?? 'none'
    count[name] = (count[name] ?? 0) + 1
  }
  return count
}

/** Evicts every edge pod, as draining all nodes at once would. */
async function evictAll(plane: ControlPlane): Promise<number[]> {
  await poll(async () => {
    const budget = await plane.get<{ status?: { disruptionsAllowed?: number } }>(
      'pdb',
      'attune-edge',
      '-n',
      NAMESPACE,
    )
    return budget.status?.disruptionsAllowed === 1
  })
  // All at once: one after the other, the pod before is back by then.
  return await Promise.all(
    (await edgePods(plane)).map(async ({ metadata: { name } }) => {
      const metadata = { name, namespace: NAMESPACE }
      const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata }
      const path = `/api/v1/namespaces/${NAMESPACE}/pods/${name}/eviction`
      return await plane.kubectl(['create', '--raw', path, '-f', '-'], JSON.stringify(eviction)).then(
        () => 201,
        (error: unknown) => (/disruption budget|TooManyRequests/i.test(String(error)) ? 429 : 500),
      )
    }),
  )
}

/** Mistakes that only an API server finds. */
async function refuse(plane: ControlPlane): Promise<string[]> {
  const pod = (spec: object) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'mistake', namespace: NAMESPACE },
    spec: { containers: [{ name: 'c', image: 'attune-edge' }], ...spec },
  })
  const scaled = {
    apiVersion: 'keda.sh/v1alpha1',
    kind: 'ScaledObject',
    metadata: { name: 'mistake', namespace: NAMESPACE },
    spec: { scaleTargetRef: { name: 'attune-edge' }, triggers: 'cpu' },
  }
  const mistakes = [pod({}), pod({ hostNetwork: true }), scaled]
  const words: string[] = []
  for (const mistake of mistakes) {
    await plane.kubectl(['apply', '-f', '-'], JSON.stringify(mistake)).then(
      () => words.push('taken'),
      (error: unknown) =>
        words.push(
          /(violates PodSecurity "[^"]+"|Invalid value: "string")/.exec(String(error))?.[1] ?? String(error),
        ),
    )
  }
  return words
}
