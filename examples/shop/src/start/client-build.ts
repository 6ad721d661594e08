import { spawn } from 'node:child_process'
import { readdir, stat } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { StartError } from './options.ts'

const clientPackage = fileURLToPath(import.meta.resolve('@attune/client/package.json'))
const corePackage = fileURLToPath(import.meta.resolve('@attune/core/package.json'))

/** Where the client's build puts the script for script tags. */
export const CLIENT_FILE: string = join(dirname(clientPackage), 'dist', 'attune.js')

/**
 * Builds `attune.js` with the client's own rollup configuration, unless it is newer than all it is made of.
 *
 * @throws {StartError} `TOOL_MISSING`, `PART_FAILED`
 */
export async function buildClient(): Promise<void> {
  const folder = dirname(clientPackage)
  const built = (await stat(CLIENT_FILE).catch(() => undefined))?.mtimeMs ?? 0
  const sources = [
    join(folder, 'src'),
    join(dirname(corePackage), 'src'),
    clientPackage,
    join(folder, 'rollup.config.js'),
  ]
  const newest = Math.max(...(await Promise.all(sources.map(newestIn))))
  if (built > newest) return

  const require = createRequire(clientPackage)
  let rollup: string
  try {
    rollup = join(dirname(require.resolve('rollup/package.json')), 'dist', 'bin', 'rollup')
  } catch (cause) {
    throw new StartError(
      'TOOL_MISSING',
      'rollup is not installed; run npm start from the root of the repository, which installs it',
      { cause },
    )
  }
  const said: string[] = []
  const code = await new Promise<number | null>((resolve, reject) => {
    const child = spawn(process.execPath, [rollup, '-c', '--silent'], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child.stdout.on('data', (text: Buffer) => said.push(String(text)))
    child.stderr.on('data', (text: Buffer) => said.push(String(text)))
    child.on('error', reject)
    child.on('close', resolve)
  })
  if (code !== 0)
    throw new StartError('PART_FAILED', `building the client ended with ${code}:\n${said.join('').trim()}`)
}

async function newestIn(path: string): Promise<number> {
  const found = await stat(path).catch(() => undefined)
  if (found === undefined) return 0
  if (!found.isDirectory()) return found.mtimeMs
  const names = (await readdir(path)).filter((name) => !name.includes('.test.'))
  return Math.max(0, ...(await Promise.all(names.map((name) => newestIn(join(path, name))))))
}
