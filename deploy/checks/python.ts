import { spawn } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'

const CHECKS = import.meta.dirname
const CACHE = join(CHECKS, '..', '..', '.cache')

let known: Promise<string | undefined> | undefined

/**
 * An interpreter with requirements.txt installed, made once and kept in `.cache`. Without Python, or without a registry
 * the first time: undefined, for a skip that says so; in CI that is an error.
 */
export function python(): Promise<string | undefined> {
  return (known ??= prepare())
}

async function prepare(): Promise<string | undefined> {
  const requirements = await readFile(join(CHECKS, 'requirements.txt'), 'utf8')
  const digest = createHash('sha256').update(requirements).digest('hex').slice(0, 12)
  const folder = join(CACHE, `deploy-checks-${digest}`)
  const interpreter = join(folder, 'bin', 'python')
  if (existsSync(interpreter)) return interpreter
  // Test files run side by side: each makes its own aside, the first to finish puts it in place.
  const aside = `${folder}.${randomUUID()}`
  try {
    await mkdir(CACHE, { recursive: true })
    await run('python3', ['-m', 'venv', aside])
    const install = '-m pip install --quiet --disable-pip-version-check --no-deps --requirement'.split(' ')
    await run(join(aside, 'bin', 'python'), [...install, join(CHECKS, 'requirements.txt')])
    await rename(aside, folder)
  } catch (error) {
    await rm(aside, { recursive: true, force: true })
    if (existsSync(interpreter)) return interpreter
    if (process.env['CI']) throw error
    console.warn(`deploy checks need Python 3.11 with venv, and its registry once: ${String(error)}`)
    return undefined
  }
  return interpreter
}

/** Runs a script of this folder. @returns its standard output, parsed */
export async function runScript(interpreter: string, script: string, input: unknown): Promise<unknown> {
  return JSON.parse(await run(interpreter, [join(CHECKS, script)], JSON.stringify(input)))
}

/** @returns standard output. @throws {Error} with standard error, when it ends with another status than 0 */
export function run(
  command: string,
  args: readonly string[],
  input = '',
  options: {
    readonly cwd?: string
    readonly env?: Readonly<Record<string, string>>
    /** Give standard error back too. */
    readonly mergeErrors?: boolean
  } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      ...(options.cwd !== undefined && { cwd: options.cwd }),
      env: { ...process.env, ...options.env },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    let output = ''
    let errors = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text
      if (options.mergeErrors === true) output += text
    })
    child.on('error', reject)
    child.on('close', (status) => {
      if (status === 0) resolve(output)
      else
        reject(
          new Error(`${command} ${args.join(' ')} ended with ${status}: ${(errors || output).slice(-2_000)}`),
        )
    })
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
  })
}
