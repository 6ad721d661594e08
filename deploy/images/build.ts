// Puts together what goes into an image, the same bytes for the same sources:
//   node --conditions=@attune/source deploy/images/build.ts edge|bridge --out FOLDER
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, lutimes, mkdir, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises'
import { basename, join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { run } from '../checks/python.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const PACKAGES = { edge: 'edge', bridge: 'trainer-bridge' } as const

export type ImageName = keyof typeof PACKAGES

export interface Built {
  /** sha-256 over every path, mode, link and byte. */
  readonly digest: string
  readonly bytes: number
  readonly packages: number
}

/**
 * Puts an image's files together in `out`: the package as it is built, its production dependencies, and `sbom.cdx.json`.
 *
 * @throws {Error} when the package was not built, or pnpm's store lacks a dependency
 */
export async function buildImage(name: ImageName, out: string): Promise<Built> {
  const folder = PACKAGES[name]
  if (!existsSync(join(ROOT, 'packages', folder, 'dist', 'main.js')))
    throw new Error(`packages/${folder}/dist/main.js: expected a built package; \`npm run build\` makes it`)
  await rm(out, { recursive: true, force: true })
  await mkdir(join(out, '..'), { recursive: true })
  const [command, ...args] = await pnpm()
  const deploy = `--filter @attune/${folder} deploy --prod --legacy --prefer-offline`.split(' ')
  await run(command ?? 'pnpm', [...args, ...deploy, out], '', {
    cwd: ROOT,
    // Dependencies are copied; those of the workspace are linked all the same.
    env: { ONNXRUNTIME_NODE_INSTALL_CUDA: 'skip', npm_config_package_import_method: 'copy' },
  })
  await prune(out)
  const packages = await writeSbom(out, name)
  return { ...(await settle(out)), packages }
}

/** pnpm as the root tasks found it, or the one on the path. */
async function pnpm(): Promise<string[]> {
  const known = await readFile(join(ROOT, '.cache', 'tools.json'), 'utf8').catch(() => undefined)
  if (known === undefined) return ['pnpm']
  const tools = JSON.parse(known) as { node: string; pnpm: string }
  return existsSync(tools.pnpm) ? [tools.node, tools.pnpm] : ['pnpm']
}

/** ONNX Runtime ships a dozen builds of 130 MB; Node loads these. */
const ORT_KEPT = /^(ort\.node\.min\.m?js|ort\.wasm(\.bundle)?\.min\.mjs|ort-wasm-simd-threaded\.(mjs|wasm))$/
/** Sources, declarations, and what pnpm notes about this machine. */
const DROPPED_FILES =
  /\.(map|d\.ts|d\.mts|d\.cts|tsbuildinfo|ts|md|markdown)$|^(\.modules\.yaml|lock\.yaml)$|^\.pnpm-/

/** A compiler that a library names for its types, and the browser's half of an identity library. */
const NEVER_RUN = /^(@typescript\+|typescript@|undici-types@|@azure\+msal-browser@)/

async function prune(root: string): Promise<void> {
  for (const entry of await entriesOf(root)) {
    const inOrt = entry.parent.endsWith('onnxruntime-web/dist')
    const own =
      /^(src|kernels|conformance|spark)$/.test(entry.name) && /(^|@attune\/[a-z-]+)$/.test(entry.parent)
    const types = /^@types(\+|$)/.test(entry.name) && entry.directory
    const unused = NEVER_RUN.test(entry.name) && entry.parent.endsWith('node_modules/.pnpm')
    const noise =
      !entry.directory && !entry.link && DROPPED_FILES.test(entry.name) && !/^licen[cs]e/i.test(entry.name)
    const dead = entry.link && !existsSync(entry.path)
    if (own || types || unused || noise || dead || (inOrt && !ORT_KEPT.test(entry.name)))
      await rm(entry.path, { recursive: true, force: true })
  }
  // A package that is gone leaves its links behind.
  for (const entry of await entriesOf(root)) if (entry.link && !existsSync(entry.path)) await rm(entry.path)
}

/** @see https://cyclonedx.org/docs/1.6/json/ */
async function writeSbom(root: string, name: ImageName): Promise<number> {
  const components = new Map<string, object>()
  for (const { path, name: file, parent } of await entriesOf(root)) {
    // The package itself, not the small package.json files that some put into their folders.
    if (file !== 'package.json' || !/(^|node_modules\/)(@[^/]+\/)?[^/]+$/.test(parent) || parent === '')
      continue
    const {
      name: component,
      version,
      license,
    } = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>
    if (typeof component !== 'string' || typeof version !== 'string') continue
    const purl = `pkg:npm/${component.replace('@', '%40')}@${version}`
    components.set(purl, {
      type: 'library',
      name: component,
      version,
      purl,
      ...(typeof license === 'string' && { licenses: [{ expression: license }] }),
    })
  }
  const own = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    name: string
    version: string
  }
  const sbom = {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: { component: { type: 'container', name: `attune-${name}`, version: own.version } },
    components: [...components].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, component]) => component),
  }
  await writeFile(join(root, 'sbom.cdx.json'), `${JSON.stringify(sbom, undefined, 1)}\n`)
  return components.size
}

/** One mode and one time for everything, and the digest of the result. */
async function settle(root: string): Promise<{ digest: string; bytes: number }> {
  const hash = createHash('sha256')
  let bytes = 0
  const entries = (await entriesOf(root)).sort((a, b) => (a.path < b.path ? -1 : 1))
  for (const { path, directory, link } of entries) {
    hash.update(`${relative(root, path)}\n`)
    if (link) hash.update(`-> ${await readlink(path)}\n`)
    else if (directory) await chmod(path, 0o755)
    else {
      const content = await readFile(path)
      bytes += content.length
      hash.update(content)
      // pnpm links what is in the workspace and its store: a time or mode set here would be set there.
      if ((await stat(path)).nlink > 1) {
        await rm(path)
        await writeFile(path, content)
      }
      await chmod(path, 0o644)
    }
  }
  for (const { path } of entries.reverse()) await lutimes(path, 0, 0)
  await lutimes(root, 0, 0)
  return { digest: hash.digest('hex'), bytes }
}

interface FolderEntry {
  readonly path: string
  readonly name: string
  /** Its folder, below the root; '' for the root. */
  readonly parent: string
  readonly directory: boolean
  readonly link: boolean
}

/** Everything below a folder that is still there; links are not followed. */
async function entriesOf(root: string): Promise<FolderEntry[]> {
  const found = await readdir(root, { recursive: true, withFileTypes: true })
  return found.map((entry) => ({
    path: join(entry.parentPath, entry.name),
    name: basename(entry.name),
    parent: relative(root, entry.parentPath),
    directory: entry.isDirectory(),
    link: entry.isSymbolicLink(),
  }))
}

if (process.argv[1] === import.meta.filename) {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { out: { type: 'string' } } })
  const [name] = positionals
  if ((name !== 'edge' && name !== 'bridge') || values.out === undefined) {
    console.error('usage: build.ts edge|bridge --out FOLDER')
    process.exit(2)
  }
  const built = await buildImage(name, resolve(values.out))
  console.log(JSON.stringify({ image: name, ...built }))
}
