import { spawn } from 'node:child_process'
import { join } from 'node:path'

const ROOT: string = join(import.meta.dirname, '../..')

/** Runs a program of the repository that prints its result as JSON in its last line. */
export function runProgram(file: string, args: readonly string[]): Promise<Record<string, unknown>> {
  return new Promise((resolve, reject) => {
    const flags = ['--no-warnings', '--conditions=@attune/source']
    const child = spawn(process.execPath, [...flags, join(ROOT, file), ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')))
    child.on('error', reject)
    child.on('close', (code) => {
      try {
        resolve(JSON.parse(text.trim().split('\n').at(-1) ?? '') as Record<string, unknown>)
      } catch (cause) {
        reject(new Error(`${file} ended with ${String(code)} and without a result`, { cause }))
      }
    })
  })
}
