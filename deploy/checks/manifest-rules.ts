import type { Container, Manifest, PodSpec } from './manifests.ts'

/** The edge gives requests under way so long before it ends them; packages/edge/src/node.ts. */
const CLOSE_GRACE_S = 5

/** What the schemas cannot see: objects that name each other, and the limits every pod runs in. */
export function checkObjects(objects: readonly Manifest[]): string[] {
  return [
    ...objects.flatMap((object) => [...checkLeftovers(object), ...checkPods(object, objects)]),
    ...checkServices(objects),
    ...checkScalers(objects),
    ...checkSelectors(objects),
    ...checkSecretClasses(objects),
    ...checkPushTargets(objects),
  ]
}

function labelOf({ kind, metadata }: Manifest): string {
  return `${kind}/${metadata.name}`
}

function checkLeftovers(object: Manifest): string[] {
  const label = labelOf(object)
  return [
    ...(JSON.stringify(object).includes('set-by-overlay') ? [`${label}: a value was left to be set`] : []),
    ...(object.kind === 'Secret' ? [`${label}: secrets come from the vault, not from files`] : []),
  ]
}

export function workloadsOf(objects: readonly Manifest[]): readonly Manifest[] {
  return objects.filter(({ spec }) => spec?.template !== undefined)
}

function checkPods(object: Manifest, objects: readonly Manifest[]): string[] {
  const pod = object.spec?.template?.spec
  if (pod === undefined) return []
  const claims = object.spec?.volumeClaimTemplates ?? []
  const has = (kind: string, name: string | undefined): boolean =>
    objects.some((other) => other.kind === kind && other.metadata.name === name)
  const problems = [
    ...(pod.securityContext?.runAsNonRoot === true && (pod.securityContext.runAsUser ?? 0) >= 1_000
      ? []
      : ['runs as root']),
    ...(pod.securityContext?.seccompProfile?.type === 'RuntimeDefault' ? [] : ['has no seccomp profile']),
    ...(pod.automountServiceAccountToken === false ? [] : ['mounts a token nobody reads']),
    ...(has('ServiceAccount', pod.serviceAccountName)
      ? []
      : [`there is no ServiceAccount ${pod.serviceAccountName}`]),
    ...(pod.volumes ?? []).flatMap(({ csi }) => {
      const name = csi?.volumeAttributes.secretProviderClass
      return name === undefined || has('SecretProviderClass', name)
        ? []
        : [`there is no SecretProviderClass ${name}`]
    }),
    ...pod.containers.flatMap((container) =>
      checkContainer(container, pod, new Set(claims.map(({ metadata }) => metadata.name)), objects),
    ),
  ]
  return problems.map((problem) => `${labelOf(object)}: ${problem}`)
}

function checkContainer(
  container: Container,
  pod: PodSpec,
  claims: ReadonlySet<string>,
  objects: readonly Manifest[],
): string[] {
  const { securityContext, resources, ports = [], lifecycle } = container
  const problems: string[] = []
  if (securityContext?.readOnlyRootFilesystem !== true) problems.push('its root file system is writable')
  if (securityContext?.allowPrivilegeEscalation !== false) problems.push('it may gain privileges')
  if (!securityContext?.capabilities?.drop?.includes('ALL')) problems.push('it keeps capabilities')
  if (resources?.requests?.['cpu'] === undefined || resources.requests['memory'] === undefined)
    problems.push('it requests no cpu or memory')
  if (resources?.limits?.['memory'] === undefined) problems.push('it has no limit of memory')
  if (!/:\d+\.\d+\.\d+$/.test(container.image)) problems.push(`image ${container.image} has no version`)
  for (const name of ['startupProbe', 'readinessProbe', 'livenessProbe'] as const) {
    const port = container[name]?.httpGet?.port
    if (port === undefined) problems.push(`it has no ${name}`)
    else if (!ports.some((one) => one.name === port)) problems.push(`${name}: there is no port ${port}`)
  }
  const needed = (lifecycle?.preStop?.sleep?.seconds ?? 0) + CLOSE_GRACE_S
  if ((pod.terminationGracePeriodSeconds ?? 30) < needed + 5)
    problems.push(`it is killed before it ends by itself: at least ${needed + 5} s are needed`)
  const volumes = new Set([...claims, ...(pod.volumes ?? []).map(({ name }) => name)])
  for (const { name } of container.volumeMounts ?? [])
    if (!volumes.has(name)) problems.push(`there is no volume ${name}`)
  for (const { configMapRef, secretRef } of container.envFrom ?? []) {
    if (configMapRef !== undefined && !objects.some(is('ConfigMap', configMapRef.name)))
      problems.push(`there is no ConfigMap ${configMapRef.name}`)
    if (secretRef !== undefined && secretKeys(objects, secretRef.name) === undefined)
      problems.push(`nothing makes the Secret ${secretRef.name}`)
  }
  return problems.map((problem) => `container ${container.name}: ${problem}`)
}

function is(kind: string, name: string): (object: Manifest) => boolean {
  return (object) => object.kind === kind && object.metadata.name === name
}

/** Keys of a Secret that a SecretProviderClass makes; undefined when none does. */
export function secretKeys(objects: readonly Manifest[], name: string): readonly string[] | undefined {
  const found = objects
    .flatMap(({ spec }) => spec?.secretObjects ?? [])
    .find(({ secretName }) => secretName === name)
  return found?.data.map(({ key }) => key)
}

function podsWith(
  objects: readonly Manifest[],
  labels: Readonly<Record<string, string>>,
): readonly Manifest[] {
  return workloadsOf(objects).filter(({ spec }) =>
    Object.entries(labels).every(([key, value]) => spec?.template?.metadata.labels?.[key] === value),
  )
}

/** Services and ingresses lead to pods, through ports that are there. */
function checkServices(objects: readonly Manifest[]): string[] {
  const services = objects.filter(({ kind }) => kind === 'Service')
  const problems = services.flatMap((service) => {
    const pods = podsWith(objects, service.spec?.selector ?? {})
    const ports = pods.flatMap(
      ({ spec }) => spec?.template?.spec.containers.flatMap((container) => container.ports ?? []) ?? [],
    )
    return [
      ...(pods.length === 1 ? [] : [`${labelOf(service)}: selects ${pods.length} workloads, expected 1`]),
      ...(service.spec?.ports ?? [])
        .filter(({ targetPort }) => !ports.some(({ name }) => name === targetPort))
        .map(({ targetPort }) => `${labelOf(service)}: no pod has a port ${targetPort}`),
    ]
  })
  const paths = objects.flatMap(({ spec }) => spec?.rules?.flatMap(({ http }) => http.paths) ?? [])
  for (const { path, backend } of paths) {
    const { name, port } = backend.service
    const target = services.find(({ metadata }) => metadata.name === name)
    if (!target?.spec?.ports?.some((one) => one.name === port.name))
      problems.push(`Ingress: ${path} leads to ${name}:${port.name}, which is not there`)
  }
  for (const { spec, ...workload } of workloadsOf(objects)) {
    const name = spec?.serviceName
    if (name !== undefined && !services.some(is('Service', name)))
      problems.push(`${labelOf(workload)}: there is no Service ${name}`)
  }
  return problems
}

/** One autoscaler at most for a workload, and no fixed number of pods beside it. */
function checkScalers(objects: readonly Manifest[]): string[] {
  const problems: string[] = []
  const seen = new Map<string, string>()
  for (const object of objects) {
    const target = object.spec?.scaleTargetRef
    if (target === undefined) continue
    const label = `${target.kind}/${target.name}`
    const workload = objects.find(is(target.kind, target.name))
    if (workload === undefined) problems.push(`${labelOf(object)}: there is no ${label}`)
    else if (workload.spec?.replicas !== undefined)
      problems.push(`${label}: has a fixed number of pods and ${labelOf(object)}`)
    const other = seen.get(label)
    if (other !== undefined) problems.push(`${label}: is scaled by ${other} and ${labelOf(object)}`)
    seen.set(label, labelOf(object))
  }
  return problems
}

function checkSelectors(objects: readonly Manifest[]): string[] {
  return objects.flatMap((object) => {
    const { kind, spec } = object
    const labels =
      kind === 'PodDisruptionBudget'
        ? spec?.selector?.matchLabels
        : kind === 'NetworkPolicy'
          ? spec?.podSelector?.matchLabels
          : undefined
    return labels === undefined || podsWith(objects, labels).length > 0
      ? []
      : [`${labelOf(object)}: selects no pod`]
  })
}

/** A Secret is put together from secrets that the class fetches. */
function checkSecretClasses(objects: readonly Manifest[]): string[] {
  return objects.flatMap((object) => {
    const { parameters, secretObjects = [] } = object.spec ?? {}
    if (parameters === undefined) return []
    const fetched = [...parameters.objects.matchAll(/objectName: (\S+)/g)].map(([, name]) => name)
    return secretObjects
      .flatMap(({ data }) => data)
      .filter(({ objectName }) => !fetched.includes(objectName))
      .map(
        ({ key, objectName }) => `${labelOf(object)}: ${key} is made of ${objectName}, which is not fetched`,
      )
  })
}

/** The bridge is told of every pod that the edge may have: models are pushed to each. */
function checkPushTargets(objects: readonly Manifest[]): string[] {
  const edge = objects.find(is('StatefulSet', 'attune-edge'))
  const scaler = objects.find(({ spec }) => spec?.scaleTargetRef?.name === 'attune-edge')
  const most = scaler?.spec?.maxReplicas ?? scaler?.spec?.maxReplicaCount ?? 0
  const service = edge?.spec?.serviceName ?? ''
  const port = objects.find(is('Service', service))?.spec?.ports?.[0]?.port ?? 0
  const namespace = edge?.metadata.namespace ?? 'default'
  const expected = Array.from(
    { length: most },
    (_, index) => `http://attune-edge-${index}.${service}.${namespace}.svc.cluster.local:${port}`,
  )
  const received = objects.find(({ data }) => data?.['ATTUNE_EDGES'] !== undefined)?.data?.['ATTUNE_EDGES']
  if (edge === undefined || received === expected.join(',')) return []
  return [`ATTUNE_EDGES: expected the ${most} pods that the edge may have, received ${received}`]
}
