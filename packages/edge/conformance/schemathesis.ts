import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const REQUIREMENTS = join(import.meta.dirname, 'requirements.txt')
const CACHE = join(import.meta.dirname, '..', '..', '..', '.cache')

/** A Python with schemathesis, in a virtual environment that is made once; undefined without Python 3.11 or its registry. */
export async function schemathesis(): Promise<string | undefined> {
  const digest = createHash('sha256')
    .update(await readFile(REQUIREMENTS))
    .digest('hex')
    .slice(0, 12)
  const folder = join(CACHE, `schemathesis-${digest}`)
  const python = join(folder, 'bin', 'python')
  if (existsSync(python)) return python
  await mkdir(CACHE, { recursive: true })
  // Made beside and renamed, so that an interrupted installation is not taken for a finished one.
  const fresh = `${folder}.${process.pid}`
  try {
    await run('python3', ['-m', 'venv', fresh])
    const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps']
    await run(join(fresh, 'bin', 'python'), [...install, '--requirement', REQUIREMENTS], { timeout: 600_000 })
    await rename(fresh, folder)
    return python
  } catch (error) {
    await rm(fresh, { recursive: true, force: true })
    if (existsSync(python)) return python
    if (process.env['CI']) throw error
    console.warn(`fuzzing needs Python 3.11 with venv, and its registry once: ${String(error)}`)
    return undefined
  }
}
