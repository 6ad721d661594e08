import { execFile } from 'node:child_process'
import { chmod, copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const execute = promisify(execFile)
/** As it comes with Node 22. */
const NPM = 'npm@10.9.4'
const most = { maxBuffer: 50_000_000 }

/**
 * An image to build on where no registry of images is to be had: Debian 12 by debootstrap, this Node, npm. Stands for
 * `node:22-bookworm-slim`. Kept in buildah's own store under its tag.
 *
 * @returns the tag
 * @throws {Error} without root, buildah or debootstrap
 */
export async function localBase(): Promise<string> {
  const tag = `localhost/attune-base:node-${process.versions.node}`
  const { stdout } = await execute('buildah', ['images', '--json'])
  if (
    (JSON.parse(stdout) as { names?: string[] }[] | null)?.some(({ names }) => names?.includes(tag) === true)
  )
    return tag
  const folder = await mkdtemp(join(tmpdir(), 'attune-base-'))
  try {
    await execute('debootstrap', ['--variant=minbase', '--include=ca-certificates', 'bookworm', folder], most)
    const node = join(folder, 'usr/local/bin/node')
    await copyFile(process.execPath, node)
    await chmod(node, 0o755)
    await execute('npm', ['install', '--global', '--prefix', join(folder, 'usr/local'), NPM], most)
    const from = (await execute('buildah', ['from', 'scratch'])).stdout.trim()
    await execute('buildah', ['add', '--quiet', from, folder, '/'], most)
    await execute('buildah', ['config', '--env', 'PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin', from])
    await execute('buildah', ['commit', '--quiet', '--rm', '--timestamp', '0', from, tag], most)
    return tag
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
