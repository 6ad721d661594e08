import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const execute = promisify(execFile)

/** What the resource metrics API says of pods; stands where metrics-server stands. */
export interface MetricsApi {
  readonly port: number
  /** CPU that all pods it is asked about use together, shared evenly, in thousandths of a core. */
  load: number
  readonly close: () => Promise<void>
}

/** @param podsOf - names of the pods that a label selector chooses in a namespace */
export async function startMetricsApi(
  podsOf: (namespace: string, selector: string) => Promise<readonly { name: string; labels: object }[]>,
): Promise<MetricsApi> {
  const folder = await mkdtemp(join(tmpdir(), 'attune-metrics-'))
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const request = 'req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost'.split(' ')
  const names = ['-addext', 'subjectAltName=DNS:localhost']
  await execute('openssl', [...request, '-keyout', key, '-out', cert, ...names])
  const tls = { key: await readFile(key), cert: await readFile(cert) }
  await rm(folder, { recursive: true, force: true })
  const state = { load: 0 }
  const server = createServer(tls, (request, response) => {
    void answer(new URL(request.url ?? '/', 'https://localhost')).then((body) => {
      response.writeHead(body === undefined ? 404 : 200, { 'content-type': 'application/json' })
      response.end(JSON.stringify(body ?? { kind: 'Status', apiVersion: 'v1', code: 404, status: 'Failure' }))
    })
  })
  const answer = async ({ pathname, searchParams }: URL): Promise<object | undefined> => {
    const group = 'metrics.k8s.io/v1beta1'
    if (pathname === `/apis/${group}`) {
      const verbs = ['get', 'list']
      const pods = { name: 'pods', singularName: '', namespaced: true, kind: 'PodMetrics', verbs }
      return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: group, resources: [pods] }
    }
    const namespace = /^\/apis\/metrics\.k8s\.io\/v1beta1\/namespaces\/([^/]+)\/pods$/.exec(pathname)?.[1]
    if (namespace === undefined) return undefined
    const pods = await podsOf(namespace, searchParams.get('labelSelector') ?? '')
    const share = Math.round(state.load / Math.max(1, pods.length))
    return {
      kind: 'PodMetricsList',
      apiVersion: group,
      metadata: {},
      items: pods.map(({ name, labels }) => ({
        metadata: { name, namespace, labels },
        timestamp: new Date().toISOString(),
        window: '30s',
        containers: [{ name: 'edge', usage: { cpu: `${share}m`, memory: '300Mi' } }],
      })),
    }
  }
  server.listen(0, 'localhost')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    get load() {
      return state.load
    },
    set load(millicores) {
      state.load = millicores
    },
    async close() {
      server.closeAllConnections()
      await once(server.close(), 'close')
    },
  }
}

/** Puts it where the API server looks for resource metrics: a service whose name is this machine. */
export function metricsApiObjects(port: number): string {
  const name = { name: 'metrics', namespace: 'kube-system' }
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'List',
    items: [
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: name,
        spec: { type: 'ExternalName', externalName: 'localhost', ports: [{ port }] },
      },
      {
        apiVersion: 'apiregistration.k8s.io/v1',
        kind: 'APIService',
        metadata: { name: 'v1beta1.metrics.k8s.io' },
        spec: {
          group: 'metrics.k8s.io',
          version: 'v1beta1',
          service: { ...name, port },
          insecureSkipTLSVerify: true,
          groupPriorityMinimum: 100,
          versionPriority: 100,
        },
      },
    ],
  })
}
