// Builds both images twice with buildah and starts what is in them as the manifests say:
//   node --conditions=@attune/source deploy/images/rehearse.ts
import { execFile } from 'node:child_process'
import { mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { localBase } from './base.ts'
import type { ImageName } from './build.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const RECIPE = 'deploy/images/Containerfile'
const execute = promisify(execFile)
const NAMES = ['edge', 'bridge'] as const

export interface BuiltImage {
  readonly image: ImageName
  readonly id: string
  /** What it adds to its base. */
  readonly bytes: number
  /** Whether building again from nothing gave the same id. */
  readonly reproducible: boolean
  readonly user: string
}

async function buildah(...args: string[]): Promise<string> {
  return (await execute('buildah', args, { cwd: ROOT, maxBuffer: 50_000_000 })).stdout.trim()
}

/** The image's id. */
function build(image: ImageName, base: string): Promise<string> {
  const settings: Record<string, string | undefined> = {
    BASE: base,
    PACKAGE: image,
    NPM_CONFIG_REGISTRY: process.env['NPM_CONFIG_REGISTRY'],
    NODE_EXTRA_CA_CERTS: process.env['NODE_EXTRA_CA_CERTS'],
  }
  const args = ['--quiet', '--no-cache', '--isolation=chroot', '--timestamp=0']
  args.push(
    `--file=${RECIPE}`,
    `--ignorefile=${RECIPE}.dockerignore`,
    `--tag=localhost/attune-${image}:rehearsal`,
  )
  for (const [name, value] of Object.entries(settings))
    if (value !== undefined) args.push(`--build-arg=${name}=${value}`)
  // A registry behind a certificate of this machine's own.
  const certificates = settings['NODE_EXTRA_CA_CERTS']
  if (certificates !== undefined) args.push(`--volume=${certificates}:${certificates}:ro`)
  return buildah('build', ...args, '.')
}

interface Inspected {
  readonly OCIv1: { readonly config: { readonly User?: string } }
}

async function sizeOf(tag: string): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'attune-oci-'))
  try {
    await buildah('push', '--quiet', '--compression-format', 'gzip', tag, `oci:${folder}:image`)
    const { stdout } = await execute('du', ['--summarize', '--bytes', folder])
    return Number(stdout.split('\t')[0])
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * @returns what was built, after the containers were started from it, passed their probes and ended well
 * @throws {Error} when a container does not do what `deploy/checks/workloads.cosmos.test.ts` expects
 */
export async function rehearse(say: (text: string) => void): Promise<readonly BuiltImage[]> {
  const base = await localBase()
  const below = await sizeOf(base)
  const roots = await mkdtemp(join(tmpdir(), 'attune-roots-'))
  const containers: string[] = []
  const rows: BuiltImage[] = []
  try {
    for (const image of NAMES) {
      say(`building ${image} twice`)
      const [first, id] = [await build(image, base), await build(image, base)]
      const { OCIv1 } = JSON.parse(await buildah('inspect', '--type', 'image', id)) as Inspected
      const bytes = (await sizeOf(id)) - below
      rows.push({ image, id, bytes, reproducible: first === id, user: OCIv1.config.User ?? '' })
      const container = await buildah('from', id)
      containers.push(container)
      await symlink(await buildah('mount', container), join(roots, image))
    }
    say('starting them as the manifests say')
    const test = [
      'vitest',
      'run',
      'deploy/checks/workloads.cosmos.test.ts',
      '--testNamePattern',
      'start from',
    ]
    const env = { ...process.env, ATTUNE_IMAGE_ROOTS: roots, CI: 'true' }
    await execute('npx', test, { cwd: ROOT, env, maxBuffer: 50_000_000 }).catch((error: unknown) => {
      throw new Error(String((error as { stdout?: string }).stdout ?? error), { cause: error })
    })
    return rows
  } finally {
    for (const container of containers) await buildah('rm', container)
    await rm(roots, { recursive: true, force: true })
  }
}

console.log(
  JSON.stringify({
    images: await rehearse((text) => {
      console.error(text)
    }),
  }),
)
