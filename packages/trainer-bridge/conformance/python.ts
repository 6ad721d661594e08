import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const CACHE = fileURLToPath(new URL('../../../.cache/', import.meta.url))

/**
 * A Python with the packages of `requirements`, in a virtual environment that is made once.
 *
 * @param cache - folder it is kept in; .cache of this checkout unless it is too large for that
 * @returns its path, or why there is none
 */
export async function pythonWith(
  requirements: URL,
  cache: string = CACHE,
): Promise<{ python: string } | { missing: string }> {
  const digest = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12)
  const folder = join(cache, `python-${digest}`)
  const windows = process.platform === 'win32'
  const inside = windows ? ['Scripts', 'python.exe'] : ['bin', 'python']
  const python = join(folder, ...inside)
  if (existsSync(python)) return { python }
  const host = await firstThatRuns(['python3', 'python'])
  if (host === undefined) return { missing: 'Python 3.11 or newer is not installed' }
  // Made beside and renamed, so that an interrupted installation is not taken for a finished one.
  const fresh = `${folder}.${process.pid}`
  mkdirSync(cache, { recursive: true })
  try {
    await run(host, ['-m', 'venv', fresh])
    const pip = [
      '-m',
      'pip',
      'install',
      '--quiet',
      '--disable-pip-version-check',
      '-r',
      fileURLToPath(requirements),
    ]
    await run(join(fresh, ...inside), pip, { timeout: 600_000 })
    renameSync(fresh, folder)
    return { python }
  } catch (error) {
    if (existsSync(python)) return { python }
    return { missing: `pip could not install ${fileURLToPath(requirements)}: ${String(error).slice(0, 300)}` }
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
}

async function firstThatRuns(names: readonly string[]): Promise<string | undefined> {
  for (const name of names) {
    try {
      await run(name, ['-c', 'import sys, venv; sys.exit(sys.version_info < (3, 11))'])
      return name
    } catch {
      // not this one
    }
  }
  return undefined
}
