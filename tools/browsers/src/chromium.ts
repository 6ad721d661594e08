import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { chromium, type Browser, type BrowserContext } from 'playwright-core'
import { findBrowser } from './find.ts'

/** For a container without a sandbox, quiet, and without calls home. */
export const CHROMIUM_ARGS: readonly string[] = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
]

export interface RunningChromium {
  readonly browser: Browser
  readonly context: BrowserContext
  /** SIGKILL for every process of the browser: nothing is told, nothing is written. */
  kill(): Promise<void>
  close(): Promise<void>
}

export interface ChromiumOptions {
  /** The one that is found when absent. */
  readonly executable?: string
  readonly flags?: readonly string[]
}

/**
 * A Chromium process of its own on a profile folder that outlives it.
 *
 * @throws {Error} when there is none, or its debugging port is not open within 30 s
 */
export async function startChromium(
  profile: string,
  { executable = findBrowser('chromium'), flags = [] }: ChromiumOptions = {},
): Promise<RunningChromium> {
  if (executable === undefined) throw new Error('no Chromium: install one, or name it in ATTUNE_CHROMIUM')
  const portFile = join(profile, 'DevToolsActivePort')
  rmSync(portFile, { force: true })
  rmSync(join(profile, 'SingletonLock'), { force: true })
  const child = spawn(
    executable,
    [
      '--headless',
      ...CHROMIUM_ARGS,
      ...flags,
      '--remote-debugging-port=0',
      `--user-data-dir=${profile}`,
      'about:blank',
    ],
    { detached: true, stdio: 'ignore' },
  )
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
  const context = browser.contexts()[0] ?? (await browser.newContext())
  return {
    browser,
    context,
    kill,
    async close() {
      await browser.close().catch(() => {})
      await kill()
    },
  }
}

/** A folder for a profile. */
export function temporaryProfile(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'attune-profile-'))
  return {
    path,
    remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }),
  }
}
