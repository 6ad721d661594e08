import { spawn } from 'node:child_process'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The checkout's folder. */
export const ROOT: string = dirname(dirname(fileURLToPath(import.meta.url)))

export interface StepResult {
  readonly name: string
  readonly ok: boolean
  readonly seconds: number
  /** What it printed, when captured. */
  readonly output: string
}

/**
 * Runs one command of a task and says how it went. Output is shown as it comes, or only on failure with `quiet`.
 *
 * @param command - an executable on PATH (`node_modules/.bin` is in front), then its arguments
 */
export async function step(
  name: string,
  command: readonly [string, ...string[]],
  options: { quiet?: boolean; env?: Record<string, string> } = {},
): Promise<StepResult> {
  const started = performance.now()
  const [executable, ...args] = command
  let output = ''
  const code = await new Promise<number>((resolve) => {
    const child = spawn(executable, args, {
      cwd: ROOT,
      stdio: ['ignore', options.quiet ? 'pipe' : 'inherit', options.quiet ? 'pipe' : 'inherit'],
      env: { ...process.env, ...options.env },
    })
    child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.on('error', (error) => {
      output += error.message
      resolve(127)
    })
    child.on('exit', (status) => resolve(status ?? 1))
  })
  const seconds = (performance.now() - started) / 1_000
  const ok = code === 0
  if (!ok && options.quiet) process.stdout.write(output)
  console.log(`${ok ? 'passed' : 'FAILED'}  ${name} (${seconds.toFixed(1)} s)`)
  return { name, ok, seconds, output }
}
