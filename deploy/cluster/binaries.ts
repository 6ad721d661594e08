import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { copyFile, cp, mkdir, readFile, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

// Kubernetes' own programs, built from their Go modules: no container, no download but the module proxy's.

const KUBERNETES = '1.34.4'
const ETCD = 'v3.6.5'
const KWOK = 'v0.7.0'
const KEDA = 'v2.21.0'

const execute = promisify(execFile)

const PROGRAMS = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'kubectl',
  'kwok',
  'keda-operator',
  'keda-adapter',
] as const

export type Program = (typeof PROGRAMS)[number]

export type Binaries = Readonly<Record<Program, string>>

/** Where programs are kept between runs, outside the checkout. */
export function binariesFolder(): string {
  const cache = process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache')
  return process.env['ATTUNE_KUBERNETES'] ?? join(cache, 'attune', `kubernetes-${KUBERNETES}`)
}

/** The programs, if every one and KEDA's kinds are there. */
export function findBinaries(folder: string = binariesFolder()): Binaries | undefined {
  const parts = [...PROGRAMS.map((name) => join(folder, name)), kedaKinds(folder)]
  if (!parts.every((path) => existsSync(path))) return undefined
  return Object.fromEntries(PROGRAMS.map((name) => [name, join(folder, name)])) as Binaries
}

/** KEDA's own definitions of its kinds, once the programs are built. */
export function kedaKinds(folder: string = binariesFolder()): string {
  return join(folder, 'src', 'keda', 'config', 'crd', 'bases')
}

/**
 * Builds what is missing: about 15 minutes on 2 cores the first time, nothing later.
 *
 * @throws {Error} without Go 1.26 or newer, or when a module cannot be had
 */
export async function buildBinaries(say: (text: string) => void): Promise<Binaries> {
  const folder = binariesFolder()
  const found = findBinaries(folder)
  if (found !== undefined) return found
  await mkdir(folder, { recursive: true })
  await execute('go', ['version']).catch(() => {
    throw new Error('go: expected Go 1.26 or newer on the path, found none')
  })
  const sources = join(folder, 'src')
  await kubernetesModule(join(sources, 'kubernetes'))
  await plainModule(join(sources, 'etcd'), 'go.etcd.io/etcd/server/v3', ETCD)
  await plainModule(join(sources, 'kwok'), 'sigs.k8s.io/kwok', KWOK, 'sigs.k8s.io/kwok/cmd/kwok')
  await wholeModule(join(sources, 'keda'), 'github.com/kedacore/keda/v2', KEDA)
  const [major = '', minor = ''] = KUBERNETES.split('.')
  const stamp = Object.entries({ gitVersion: `v${KUBERNETES}`, gitMajor: major, gitMinor: minor })
    .map(([name, value]) => `-X k8s.io/component-base/version.${name}=${value}`)
    .join(' ')
  const parts: readonly (readonly [Program, string, string])[] = [
    ['etcd', 'etcd', 'go.etcd.io/etcd/server/v3'],
    ['kwok', 'kwok', 'sigs.k8s.io/kwok/cmd/kwok'],
    ...(['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubectl'] as const).map(
      (name) => [name, 'kubernetes', `k8s.io/kubernetes/cmd/${name}`] as const,
    ),
    ['keda-operator', 'keda', './cmd/operator'],
    ['keda-adapter', 'keda', './cmd/adapter'],
  ]
  for (const [name, module, path] of parts) {
    if (existsSync(join(folder, name))) continue
    say(`building ${name}`)
    await go(join(sources, module), ['build', '-ldflags', `-s -w ${stamp}`, '-o', join(folder, name), path])
  }
  const built = findBinaries(folder)
  if (built === undefined) throw new Error(`${folder}: expected every program to be there after the build`)
  return built
}

/** Its own module file points at folders that the published module does not have; those modules are published too. */
async function kubernetesModule(folder: string): Promise<void> {
  const module = await download('k8s.io/kubernetes', `v${KUBERNETES}`)
  await mkdir(folder, { recursive: true })
  const own = await readFile(join(module, 'go.mod'), 'utf8')
  const published = `v${KUBERNETES.replace('1.', '0.')}`
  await writeFile(
    join(folder, 'go.mod'),
    own
      .replace('module k8s.io/kubernetes', 'module attune.local/kubernetes')
      .replaceAll(/(k8s\.io\/[\w-]+) => \.\/staging\S+/g, `$1 => $1 ${published}`)
      .replace('require (', `require (\n\tk8s.io/kubernetes v${KUBERNETES}`),
  )
  await copyFile(join(module, 'go.sum'), join(folder, 'go.sum'))
  const programs = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubectl']
  await keep(
    folder,
    programs.map((name) => `k8s.io/kubernetes/cmd/${name}`),
  )
}

async function plainModule(folder: string, module: string, version: string, main = module): Promise<void> {
  if (existsSync(join(folder, 'go.sum'))) return
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'go.mod'), 'module attune.local/tools\n\ngo 1.24.0\n')
  await keep(folder, [main])
  await go(folder, ['get', `${module}@${version}`])
}

/** A module whose own replacements count: they do only where it is the main one, so its sources are copied. */
async function wholeModule(folder: string, module: string, version: string): Promise<void> {
  if (existsSync(join(folder, 'go.mod'))) return
  await cp(await download(module, version), folder, { recursive: true })
  // The cache of modules is read-only, and what is copied out of it too.
  await execute('chmod', ['-R', 'u+w', folder])
}

/** Keeps programs in the module's list of what it needs. */
function keep(folder: string, mains: readonly string[]): Promise<void> {
  const imports = mains.map((main) => `\t_ "${main}"\n`).join('')
  return writeFile(join(folder, 'tools.go'), `//go:build tools\n\npackage tools\n\nimport (\n${imports})\n`)
}

async function download(module: string, version: string): Promise<string> {
  const { stdout } = await execute('go', ['mod', 'download', '-json', `${module}@${version}`])
  return (JSON.parse(stdout) as { Dir: string }).Dir
}

async function go(cwd: string, args: readonly string[]): Promise<void> {
  const env = { ...process.env, GOFLAGS: '-mod=mod -buildvcs=false' }
  await execute('go', args, { cwd, env, maxBuffer: 50_000_000 })
}
