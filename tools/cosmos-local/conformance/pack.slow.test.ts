import { execFile, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { sign } from '../src/protocol/auth.ts'
import { EMULATOR_KEY } from '../src/start.ts'

const PACKAGE: string = join(import.meta.dirname, '..')
const ROOT: string = join(PACKAGE, '../..')
// The package's bin is run by whatever `node` comes first.
const env: NodeJS.ProcessEnv = {
  ...process.env,
  PATH: `${dirname(process.execPath)}${delimiter}${process.env['PATH'] ?? ''}`,
}
const run = promisify(execFile)

/** pnpm as the root's tasks found it, else the one on PATH. */
function pnpm(): readonly [command: string, ...args: string[]] {
  const memory = join(ROOT, '.cache/tools.json')
  if (existsSync(memory)) {
    const { pnpm: script } = JSON.parse(readFileSync(memory, 'utf8')) as { pnpm: string }
    if (existsSync(script)) return [process.execPath, script]
  }
  return ['pnpm']
}

/** The bin of the package through npx, as a user runs it: its first lines until `ready`, and how to end it. */
async function startWithNpx(folder: string): Promise<{ text: string; stop(): Promise<void> }> {
  const args = ['--offline', '@attune/cosmos-local', '--memory', '--port', '0', '--admin-port', '0']
  const child = spawn('npx', args, { cwd: folder, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const stop = async (): Promise<void> => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGTERM')
    } catch {
      // Gone already.
    }
    await ended
  }
  let text = ''
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString('utf8')))
  const ready = new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8')
      if (text.endsWith('ready\n')) resolve()
    })
  })
  await Promise.race([ready, ended])
  if (!text.endsWith('ready\n')) throw new Error(`npx ended before the server was ready: ${text}${errors}`)
  return { text, stop }
}

test('npx @attune/cosmos-local runs from the packed tarball, installed offline in an empty folder', async () => {
  const scratch = await mkdtemp(join(tmpdir(), 'cosmos-pack-'))
  try {
    await run(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '-b', PACKAGE])
    const [command, ...args] = pnpm()
    await run(command, [...args, 'pack', '--pack-destination', scratch], { cwd: PACKAGE, env })
    const [tarball] = (await readdir(scratch)).filter((name) => name.endsWith('.tgz'))
    expect(tarball).toBe('attune-cosmos-local-0.1.0.tgz')

    const folder = join(scratch, 'empty')
    await mkdir(folder)
    await writeFile(join(folder, 'package.json'), '{"private":true,"type":"module"}')
    const quiet = ['--offline', '--no-audit', '--no-fund', '--loglevel=error']
    await run('npm', ['install', ...quiet, join(scratch, tarball ?? '')], { cwd: folder, env })

    const installed = join(folder, 'node_modules/@attune/cosmos-local')
    const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
      bin: Record<string, string>
      exports: { '.': Record<string, string> }
    }
    expect(manifest.bin).toEqual({ 'cosmos-local': './dist/cli.js' })
    // Every file that the manifest points at is there; tests and build leftovers are not.
    const pointed = [...Object.values(manifest.bin), ...Object.values(manifest.exports['.'])]
    expect(pointed.filter((file) => !existsSync(join(installed, file)))).toEqual([])
    const files = (await readdir(installed, { recursive: true })).map(String)
    expect(files.filter((file) => /\.test\.|tsbuildinfo|^conformance/.test(file))).toEqual([])
    expect(files).toContain('README.md')

    const server = await startWithNpx(folder)
    try {
      const endpoint = /^Local: (http:\/\/127\.0\.0\.1:\d+)/.exec(server.text)?.[1] ?? ''
      const date = new Date().toUTCString()
      const headers = { authorization: sign(EMULATOR_KEY, 'GET', '', '', date), 'x-ms-date': date }
      const account = (await (await fetch(endpoint, { headers })).json()) as {
        writableLocations: { name: string; databaseAccountEndpoint: string }[]
      }
      expect(account.writableLocations).toEqual([{ name: 'Local', databaseAccountEndpoint: `${endpoint}/` }])
    } finally {
      await server.stop()
    }

    // The library entry, by its name, without any condition.
    const library = `
      import { startCosmosLocal } from '@attune/cosmos-local'
      const cosmos = await startCosmosLocal({ port: 0 })
      console.log((await fetch(cosmos.endpoint)).status)
      await cosmos.close()`
    const told = await run(process.execPath, ['--input-type=module', '-e', library], { cwd: folder, env })
    expect(told.stdout).toBe('401\n')
  } finally {
    await rm(scratch, { recursive: true, maxRetries: 5 })
  }
}, 40_000)
