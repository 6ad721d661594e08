import { execFileSync } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { generateKeyPairSync } from 'node:crypto'
import { readConfig as readEdgeConfig } from '@attune/edge'
import { describe, expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { readNodeSettings } from '../../packages/edge/src/host/settings.ts'
import { readConfig as readBridgeConfig } from '../../packages/trainer-bridge/src/config.ts'
import { checkObjects, secretKeys, workloadsOf } from './manifest-rules.ts'
import { checkSchemas, type Container, type Manifest } from './manifests.ts'
import { python } from './python.ts'
import { inputsDigest, render, renderedFile, TARGETS } from './render.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const RELEASES = ['1.30', '1.31', '1.32', '1.33', '1.34', '1.35', '1.36']
const interpreter = await python()
const kubectl = hasKubectl()
const rendered = await readRendered()
const production = rendered['production'] ?? ''

async function readRendered(): Promise<Record<string, string>> {
  const names = Object.keys(TARGETS)
  const texts = await Promise.all(names.map((name) => readFile(renderedFile(name), 'utf8')))
  return Object.fromEntries(names.map((name, index) => [name, texts[index] ?? '']))
}

function hasKubectl(): boolean {
  try {
    execFileSync('kubectl', ['kustomize', '--help'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function objectsOf(name: string): readonly Manifest[] {
  return parseAllDocuments(rendered[name] ?? '').map((document) => document.toJS() as Manifest)
}

/** A mistake in what is applied, and what has to be said about it; `schema` ones are the API server's business. */
const mistakes: readonly (readonly [what: string, from: string, to: string, found: string])[] = [
  [
    'a field that is not one',
    'minReadySeconds: 5',
    'minimumReadySeconds: 5',
    "'minimumReadySeconds' was unexpected",
  ],
  [
    'a number written as text',
    'revisionHistoryLimit: 3',
    "revisionHistoryLimit: '3'",
    "is not of type 'integer'",
  ],
  [
    'an API that was taken away',
    'apiVersion: policy/v1\n',
    'apiVersion: policy/v1beta1\n',
    'has no PodDisruptionBudget of policy/v1beta1',
  ],
  [
    'a misspelt field of KEDA',
    'pollingInterval: 15',
    'pollIntervall: 15',
    "ScaledObject/attune-bridge: spec: Additional properties are not allowed ('pollIntervall'",
  ],
  [
    'a provider KEDA does not know',
    'provider: azure-workload',
    'provider: azure-workloads',
    "TriggerAuthentication/managed-prometheus: spec.podIdentity.provider: 'azure-workloads' is not one of",
  ],
  [
    'a misspelt field of the secrets driver',
    'secretObjects:',
    'secretsObjects:',
    "('secretsObjects' was unexpected)",
  ],
  ['a pod that runs as root', 'runAsUser: 10001', 'runAsUser: 0', 'runs as root'],
  [
    'a writable root file system',
    'readOnlyRootFilesystem: true',
    'readOnlyRootFilesystem: false',
    'its root file system is writable',
  ],
  [
    'a container that may gain privileges',
    'allowPrivilegeEscalation: false',
    'allowPrivilegeEscalation: true',
    'it may gain privileges',
  ],
  [
    'a container without a limit of memory',
    'limits:\n              memory: 1Gi\n',
    'limits: {}\n',
    'it has no limit of memory',
  ],
  [
    'a container without a liveness probe',
    'livenessProbe:',
    'terminationMessagePath: /tmp/x\n          readinessProbes:',
    'it has no livenessProbe',
  ],
  [
    'a probe of a port that is not there',
    'path: /healthz\n              port: http',
    'path: /healthz\n              port: https',
    'there is no port https',
  ],
  ['an image without a version', 'attune-edge:0.1.0', 'attune-edge:latest', 'has no version'],
  [
    'a pod killed before it ended',
    'terminationGracePeriodSeconds: 20',
    'terminationGracePeriodSeconds: 8',
    'it is killed before it ends by itself',
  ],
  [
    'a volume that is not there',
    'name: models\n      spec',
    'name: model\n      spec',
    'there is no volume models',
  ],
  [
    'a Secret that nothing makes',
    'secretName: attune-edge\n',
    'secretName: attune-edges\n',
    'nothing makes the Secret attune-edge',
  ],
  [
    'a secret that is not fetched',
    'objectName: edge-push-keys\n          objectType',
    'objectName: edge-push-key\n          objectType',
    'ATTUNE_PUSH_KEYS is made of edge-push-keys, which is not fetched',
  ],
  [
    'a service that selects nothing',
    'selector:\n    app.kubernetes.io/name: attune-bridge',
    'selector:\n    app.kubernetes.io/name: bridge',
    'selects 0 workloads',
  ],
  [
    'a route to a service that is not there',
    'service:\n                name: attune-edge\n',
    'service:\n                name: edge\n',
    'which is not there',
  ],
  [
    'a fixed number of pods beside an autoscaler',
    'minReadySeconds: 5',
    'minReadySeconds: 5\n  replicas: 3',
    'has a fixed number of pods',
  ],
  [
    'a scaler of something that is not there',
    'kind: StatefulSet\n    name: attune-edge',
    'kind: StatefulSet\n    name: edge',
    'there is no StatefulSet/edge',
  ],
  [
    'more pods than the bridge pushes to',
    'maxReplicaCount: 6',
    'maxReplicaCount: 7',
    'ATTUNE_EDGES: expected the 7 pods',
  ],
  [
    'a network policy for nobody',
    'podSelector:\n    matchLabels:\n      app.kubernetes.io/name: attune-bridge\n  policyTypes',
    'podSelector:\n    matchLabels:\n      app: bridge\n  policyTypes',
    'NetworkPolicy/bridge: selects no pod',
  ],
  [
    'a value left to be set',
    'keyvaultName: kv-example',
    'keyvaultName: set-by-overlay',
    'a value was left to be set',
  ],
]

const documents = {
  ...Object.fromEntries(Object.entries(rendered).map(([name, text]) => [name, { text, releases: RELEASES }])),
  ...Object.fromEntries(
    mistakes.map(([, from, to], index) => [
      `${index}`,
      { text: production.replace(from, to), releases: ['1.34'] },
    ]),
  ),
}
const checked = interpreter === undefined ? {} : await checkSchemas(interpreter, documents)

function problemsOf(name: string): string[] {
  const found = checked[name]
  return found === undefined ? ['not checked'] : [...found.problems, ...checkObjects(found.objects)]
}

describe.skipIf(interpreter === undefined)('Kubernetes manifests (skipped: needs Python with venv)', () => {
  test('of the overlays are strictly valid for 1.30 to 1.36 and lead to each other', () => {
    for (const name of ['production', 'staging']) {
      expect(checked[name]?.objects.length).toBeGreaterThan(18)
      expect(problemsOf(name)).toEqual([])
    }
    expect(checked['monitoring']?.problems).toEqual([])
  })

  test.for(mistakes.map((mistake, index) => [...mistake, index] as const))(
    '%s is found',
    ([, from, , found, index]) => {
      expect(production).toContain(from)
      expect(problemsOf(`${index}`).join('\n')).toContain(found)
    },
  )

  test('two autoscalers of one workload are found', () => {
    const objects = checked['production']?.objects ?? []
    const second = (checked['staging']?.objects ?? []).filter(
      ({ kind }) => kind === 'HorizontalPodAutoscaler',
    )
    expect(second).toHaveLength(1)
    expect(checkObjects([...objects, ...second]).join('\n')).toContain('is scaled by')
  })

  test('a Secret in the files is found', () => {
    const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'x' } }
    expect(checkObjects([...(checked['production']?.objects ?? []), secret])).toEqual([
      'Secret/x: secrets come from the vault, not from files',
    ])
  })
})

test('what is rendered was rendered from these very files', async () => {
  const digest = await inputsDigest()
  for (const text of Object.values(rendered)) {
    expect(text.split('\n')[0]).toContain(`sha256 ${digest}`)
  }
})

test(`kustomize renders the same${kubectl ? '' : ' (kubectl is not here: only the digest was compared)'}`, async () => {
  if (!kubectl) return
  for (const [name, target] of Object.entries(TARGETS)) {
    const now = parseAllDocuments(await render(target)).map((document) => document.toJS() as unknown)
    expect(now).toEqual(objectsOf(name))
  }
})

/** Settings of a container as the manifest gives them; what comes from the vault is put in from `secrets`. */
function settingsOf(
  objects: readonly Manifest[],
  container: Container,
  secrets: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.assign(
    {},
    ...(container.envFrom ?? []).map(({ configMapRef, secretRef }) => {
      if (configMapRef !== undefined)
        return objects.find(
          ({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === configMapRef.name,
        )?.data
      const keys = secretKeys(objects, secretRef?.name ?? '') ?? []
      return Object.fromEntries(keys.map((key) => [key, secrets[key] ?? `no secret for ${key}`]))
    }),
  ) as Record<string, string>
}

/** Remembers which settings are asked for. */
function watched(settings: Record<string, string>, asked: Set<string>): Record<string, string> {
  return new Proxy(settings, {
    get(target, name) {
      asked.add(String(name))
      return target[String(name)]
    },
  })
}

const jwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })
const SECRETS: Readonly<Record<string, string>> = {
  ATTUNE_PUSH_KEYS: 'p'.repeat(32),
  ATTUNE_ADMIN_KEYS: 'a'.repeat(32),
  ATTUNE_VISITOR_SECRETS: 'v'.repeat(32),
  COSMOS_KEY: 'AAAA',
  ATTUNE_PUSH_KEY: 'p'.repeat(32),
  ATTUNE_SIGNING_KEY: JSON.stringify(jwk),
}

describe.for(['production', 'staging'])('settings of %s', (overlay) => {
  const objects = objectsOf(overlay)
  const containers = workloadsOf(objects).flatMap(({ spec }) => spec?.template?.spec.containers ?? [])
  const containerOf = (name: string): Container => {
    const found = containers.find((container) => container.name === name)
    if (found === undefined) throw new Error(`expected a container ${name}`)
    return found
  }

  test('are those that the edge reads, no more, and it starts with them', async () => {
    const settings = settingsOf(objects, containerOf('edge'), SECRETS)
    const asked = new Set<string>()
    const models = await mkdtemp(join(tmpdir(), 'attune-models-'))
    const { config } = await readNodeSettings(watched({ ...settings, ATTUNE_MODELS: models }, asked))
    await rm(models, { recursive: true })
    expect(Object.keys(settings).filter((name) => !asked.has(name))).toEqual([])
    expect(config.sites.map(({ id }) => id)).toEqual(['shop'])
    expect(config.cosmos.endpoints).toHaveLength(2)
  })

  test('are those that the bridge reads, no more, and it starts with them', () => {
    const settings = settingsOf(objects, containerOf('bridge'), SECRETS)
    const asked = new Set<string>()
    const config = readBridgeConfig(watched(settings, asked))
    expect(Object.keys(settings).filter((name) => !asked.has(name))).toEqual([])
    expect(config.edges).toHaveLength(overlay === 'production' ? 6 : 2)
    expect(config.edges[0]?.pushKey).toBe(SECRETS['ATTUNE_PUSH_KEY'])
  })

  test('a setting that nobody reads is found, and one that is missing', () => {
    const settings = { ...settingsOf(objects, containerOf('edge'), SECRETS), COSMOS_ENDPOINT: 'x' }
    const asked = new Set<string>()
    readEdgeConfig(watched(settings, asked))
    expect(Object.keys(settings).filter((name) => !asked.has(name))).toContain('COSMOS_ENDPOINT')
    const { COSMOS_ENDPOINTS: _gone, ...less } = settingsOf(objects, containerOf('edge'), SECRETS)
    expect(() => readEdgeConfig(less)).toThrow('COSMOS_ENDPOINTS')
  })

  test('name folders that are mounted, and ports that are opened', () => {
    for (const [name, folder] of [
      ['edge', 'ATTUNE_MODELS'],
      ['bridge', 'ATTUNE_FOLDER'],
    ] as const) {
      const container = containerOf(name)
      const settings = settingsOf(objects, container, SECRETS)
      expect(container.volumeMounts?.map(({ mountPath }) => mountPath)).toContain(settings[folder])
      const metricsPort = settings['ATTUNE_METRICS_PORT']
      expect(container.ports?.map(({ containerPort }) => String(containerPort))).toEqual([
        settings['PORT'],
        ...(metricsPort === undefined ? [] : [metricsPort]),
        ...(settings['ATTUNE_CLUSTER_PORT'] === undefined ? [] : [settings['ATTUNE_CLUSTER_PORT']]),
      ])
    }
  })
})

describe('what the manifests and the Bicep files say of each other', async () => {
  const azure = join(import.meta.dirname, '..', 'azure')
  const [main = '', cluster = '', alerts = ''] = await Promise.all(
    ['main', 'cluster', 'alerts'].map((name) => readFile(join(azure, `${name}.bicep`), 'utf8')),
  )

  test('each service account of the cluster has its federated identity', () => {
    const federated = [...main.matchAll(/namespace: '([^']+)'\s+serviceAccount: '([^']+)'/g)].map(
      ([, namespace, name]) => `${namespace}/${name}`,
    )
    const accounts = objectsOf('production')
      .filter(({ kind }) => kind === 'ServiceAccount')
      .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)
    expect(federated).toEqual([...accounts.sort().reverse(), 'kube-system/keda-operator'])
  })

  test('overlays take only what azd puts out', async () => {
    const outputs = [...main.matchAll(/^output (\w+) /gm)].map(([, name]) => name)
    for (const overlay of ['production', 'staging']) {
      const text = await readFile(
        join(import.meta.dirname, '..', 'aks', 'overlays', overlay, 'azure.env'),
        'utf8',
      )
      const names = text.split('\n').flatMap((line) => line.split('=')[0] || [])
      expect(names.filter((name) => !outputs.includes(name))).toEqual([])
    }
  })

  test('pods go to a pool of nodes that there is', () => {
    for (const { spec } of workloadsOf(objectsOf('production'))) {
      const pool = spec?.template?.spec.nodeSelector?.['attune.dev/pool']
      expect(cluster).toContain(`'attune.dev/pool': '${pool}'`)
    }
  })

  test('every alert has its section in the runbook, and every section its alert', async () => {
    const runbook = await readFile(join(ROOT, 'docs', 'runbook.md'), 'utf8')
    const section = /\n## Alerts\n([\s\S]*?)\n## /.exec(runbook)?.[1] ?? ''
    const told = [...section.matchAll(/^### (.+)$/gm)].map(([, name]) => name)
    const made = [...alerts.matchAll(/(?:alert: '|^ {2}name: ')([a-z-]+?)(?:-\$\{token\})?'/gm)]
      .map(([, name = '']) => name)
      .filter((name) => name !== 'attune-workloads')
    expect(made.length).toBe(13)
    expect(told.sort()).toEqual(made.sort())
  })

  test('alerts watch workloads that there are, and no others', () => {
    const names = workloadsOf(objectsOf('production')).map(({ metadata }) => metadata.name)
    const watchedSets = [...alerts.matchAll(/statefulset="([^"]+)"/g)].map(([, name = '']) => name)
    expect([...new Set(watchedSets)].sort()).toEqual([...names].sort())
  })
})
