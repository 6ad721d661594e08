import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
export const SPARK: string = fileURLToPath(new URL('../../spark/', import.meta.url))
const TESTS = join(SPARK, 'tests')
const INSTALL_MS = 900_000
/** An installation that has not ended by then was killed. */
const STALE_MS = 1_200_000

export interface SparkPython {
  readonly python: string
  readonly submit: string
  readonly env: Readonly<Record<string, string>>
}

let known: Promise<SparkPython | { readonly missing: string }> | undefined

/**
 * A Python with Spark and PyTorch (2.1 GB), made once and kept outside the checkout for all of them. PyTorch's CUDA
 * libraries, another 4 GB, are left out. Java has to be there.
 *
 * @returns where it is, or why there is none
 */
export function sparkPython(): Promise<SparkPython | { readonly missing: string }> {
  return (known ??= prepare())
}

async function prepare(): Promise<SparkPython | { readonly missing: string }> {
  for (const [program, argument] of [
    ['python3', '--version'],
    ['java', '-version'],
  ] as const) {
    try {
      await run(program, [argument])
    } catch {
      return { missing: `${program} is not installed; Spark needs Python 3.11 and Java 17` }
    }
  }
  const hash = createHash('sha256')
  for (const name of ['requirements.txt', 'torch_without_cuda.py'])
    hash.update(await readFile(join(TESTS, name)))
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'attune')
  const folder = join(cache, `spark-${hash.digest('hex').slice(0, 12)}`)
  await mkdir(cache, { recursive: true })
  try {
    if (!existsSync(join(folder, 'made.txt'))) await alone(`${folder}.lock`, () => make(folder))
  } catch (error) {
    return { missing: `Spark and PyTorch could not be installed: ${String(error).slice(0, 400)}` }
  }
  const python = join(folder, 'bin', 'python')
  return {
    python,
    submit: join(folder, 'bin', 'spark-submit'),
    env: {
      PYSPARK_PYTHON: python,
      PYSPARK_DRIVER_PYTHON: python,
      SPARK_LOCAL_IP: '127.0.0.1',
      GLOO_SOCKET_IFNAME: 'lo',
    },
  }
}

/** Scripts of a virtual environment name its folder, so it is made in place; `made.txt` says that it is whole. */
async function make(folder: string): Promise<void> {
  if (existsSync(join(folder, 'made.txt'))) return
  await rm(folder, { recursive: true, force: true })
  const options = { timeout: INSTALL_MS, maxBuffer: 1 << 24 }
  await run('python3', ['-m', 'venv', folder], options)
  const python = join(folder, 'bin', 'python')
  const install = '-m pip install --quiet --disable-pip-version-check --no-deps --no-compile -r'.split(' ')
  await run(python, [...install, join(TESTS, 'requirements.txt')], options)
  const { stdout } = await run(python, ['-c', 'import sysconfig; print(sysconfig.get_path("purelib"))'])
  await run(python, [join(TESTS, 'torch_without_cuda.py'), stdout.trim()], options)
  await writeFile(join(folder, 'made.txt.tmp'), '')
  await rename(join(folder, 'made.txt.tmp'), join(folder, 'made.txt'))
}

/** Test files run side by side: one makes it, the others wait. */
async function alone(lock: string, work: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      await mkdir(lock)
      break
    } catch {
      const age = await stat(lock).then(
        ({ mtimeMs }) => Date.now() - mtimeMs,
        () => 0,
      )
      if (age > STALE_MS) await rm(lock, { recursive: true, force: true })
      else await new Promise((done) => setTimeout(done, 500))
    }
  }
  try {
    await work()
  } finally {
    await rm(lock, { recursive: true, force: true })
  }
}
