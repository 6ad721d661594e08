import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runScript } from './python.ts'

/** A Kubernetes object, as far as the rules look into it. */
export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec?: Spec
  readonly data?: Readonly<Record<string, string>>
}

type Labels = Readonly<Record<string, string>>
interface Selector {
  readonly matchLabels?: Labels
}

export interface Spec {
  readonly replicas?: number
  readonly serviceName?: string
  readonly template?: { readonly metadata: { readonly labels?: Labels }; readonly spec: PodSpec }
  readonly volumeClaimTemplates?: readonly { readonly metadata: { readonly name: string } }[]
  /** Of a Service, labels; of anything else `matchLabels`. */
  readonly selector?: Labels & Selector
  readonly podSelector?: Selector
  readonly ports?: readonly { readonly name?: string; readonly port: number; readonly targetPort?: string }[]
  readonly scaleTargetRef?: { readonly kind: string; readonly name: string }
  readonly maxReplicas?: number
  readonly maxReplicaCount?: number
  readonly rules?: readonly {
    readonly http: {
      readonly paths: readonly {
        readonly path: string
        readonly backend: {
          readonly service: { readonly name: string; readonly port: { readonly name: string } }
        }
      }[]
    }
  }[]
  readonly parameters?: { readonly objects: string }
  readonly secretObjects?: readonly {
    readonly secretName: string
    readonly data: readonly { readonly key: string; readonly objectName: string }[]
  }[]
}

export interface PodSpec {
  readonly serviceAccountName?: string
  readonly automountServiceAccountToken?: boolean
  readonly terminationGracePeriodSeconds?: number
  readonly nodeSelector?: Labels
  readonly topologySpreadConstraints?: readonly { readonly topologyKey: string }[]
  readonly securityContext?: {
    readonly runAsNonRoot?: boolean
    readonly runAsUser?: number
    readonly runAsGroup?: number
    readonly fsGroup?: number
    readonly seccompProfile?: { readonly type: string }
  }
  readonly containers: readonly Container[]
  readonly volumes?: readonly {
    readonly name: string
    readonly csi?: { readonly volumeAttributes: { readonly secretProviderClass: string } }
  }[]
}

interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: string }
}

export interface Container {
  readonly name: string
  readonly workingDir?: string
  readonly image: string
  readonly command?: readonly string[]
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[]
  readonly envFrom?: readonly {
    readonly configMapRef?: { readonly name: string }
    readonly secretRef?: { readonly name: string }
  }[]
  readonly startupProbe?: Probe
  readonly readinessProbe?: Probe
  readonly livenessProbe?: Probe
  readonly lifecycle?: { readonly preStop?: { readonly sleep?: { readonly seconds: number } } }
  readonly resources?: { readonly requests?: Labels; readonly limits?: Labels }
  readonly securityContext?: {
    readonly allowPrivilegeEscalation?: boolean
    readonly readOnlyRootFilesystem?: boolean
    readonly capabilities?: { readonly drop?: readonly string[] }
  }
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[]
}

export interface Checked {
  readonly objects: readonly Manifest[]
  /** What does not fit a schema. */
  readonly problems: readonly string[]
}

/** Parses YAML and holds every object strictly against the schemas of the releases named. */
export async function checkSchemas(
  interpreter: string,
  documents: Readonly<Record<string, { readonly text: string; readonly releases: readonly string[] }>>,
): Promise<Readonly<Record<string, Checked>>> {
  const folder = join(import.meta.dirname, 'crds')
  const custom = await Promise.all(
    (await readdir(folder)).map(
      async (name) => JSON.parse(await readFile(join(folder, name), 'utf8')) as unknown,
    ),
  )
  const entries = Object.entries(documents)
  return (await runScript(interpreter, 'manifests.py', {
    documents: Object.fromEntries(entries.map(([name, { text }]) => [name, text])),
    versions: Object.fromEntries(entries.map(([name, { releases }]) => [name, releases])),
    custom,
  })) as Record<string, Checked>
}
