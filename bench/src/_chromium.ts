import { spawn } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync, rmSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { chromium, type BrowserContext } from 'playwright-core'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'chrome']
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
]

/** `ATTUNE_CHROMIUM`, else the first of its usual names on PATH. @throws in CI when there is none: it must not pass for a test that passed */
export function findChromium(): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const chosen = process.env['ATTUNE_CHROMIUM']
  const files = chosen ? [chosen] : folders.flatMap((folder) => NAMES.map((name) => join(folder, name)))
  const found = files.find((file) => {
    try {
      accessSync(file, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
  if (found === undefined && process.env['CI'])
    throw new Error('no Chromium: install one, or set ATTUNE_CHROMIUM')
  return found
}

export interface Chromium {
  readonly context: BrowserContext
  /** SIGKILL for all of its processes. */
  kill(): Promise<void>
}

/** A Chromium of its own on a profile that outlives it. @throws when there is none, or it does not start within 30 s */
export async function startChromium(profile: string): Promise<Chromium> {
  const executable = findChromium()
  if (executable === undefined) throw new Error('no Chromium: install one, or set ATTUNE_CHROMIUM')
  const portFile = join(profile, 'DevToolsActivePort')
  rmSync(portFile, { force: true })
  rmSync(join(profile, 'SingletonLock'), { force: true })
  const args = [...FLAGS, '--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank']
  const child = spawn(executable, args, { detached: true, stdio: 'ignore' })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const kill = async (): Promise<void> => {
    if (child.pid === undefined) return
    try {
      process.kill(-child.pid, 'SIGKILL')
    } catch {
      // Gone already.
    }
    await exited
  }
  const deadline = Date.now() + 30_000
  while (!existsSync(portFile) || readFileSync(portFile, 'utf8').split('\n').length < 2) {
    if (Date.now() > deadline || child.exitCode !== null) {
      await kill()
      throw new Error(`${executable} did not open its debugging port within 30 s`)
    }
    await sleep(50)
  }
  const port = readFileSync(portFile, 'utf8').split('\n')[0]
  const browser = await chromium.connectOverCDP(`http://127.0.0.1:${port}`)
  return { context: browser.contexts()[0] ?? (await browser.newContext()), kill }
}
