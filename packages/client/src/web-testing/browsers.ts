import { spawn } from 'node:child_process'
import { accessSync, constants, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { chromium, type Browser, type BrowserContext } from 'playwright-core'

const NAMES = {
  chromium: ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'chrome'],
  firefox: ['firefox', 'firefox-esr'],
  webkit: ['WebKitWebDriver'],
} as const

/**
 * Path of a browser: `ATTUNE_CHROMIUM`, `ATTUNE_FIREFOX` or (WebKit's driver) `ATTUNE_WEBKIT`, else the first of its usual names on PATH.
 *
 * @returns undefined when there is none and this is not CI
 * @throws Error in CI, where a browser that is missing must not pass for a test that passed
 */
export function findBrowser(name: keyof typeof NAMES): string | undefined {
  const variable = `ATTUNE_${name.toUpperCase()}`
  const chosen = process.env[variable]
  const onPath = (process.env['PATH'] ?? '')
    .split(delimiter)
    .flatMap((folder) => NAMES[name].map((file) => join(folder, file)))
  const found = (chosen ? [chosen] : onPath).find(isExecutable)
  if (found === undefined && process.env['CI']) {
    throw new Error(`no ${name}: set ${variable} or put one of ${NAMES[name].join(', ')} on PATH`)
  }
  return found
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

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

export interface RunningChromium {
  readonly browser: Browser
  readonly context: BrowserContext
  /** SIGKILL for every process of the browser: nothing is told, nothing is written. */
  kill(): Promise<void>
  close(): Promise<void>
}

/** A Chromium process of its own on a profile folder that outlives it. */
export async function startChromium(
  executable: string,
  profile: string,
  flags: string[] = [],
): Promise<RunningChromium> {
  const portFile = join(profile, 'DevToolsActivePort')
  rmSync(portFile, { force: true })
  rmSync(join(profile, 'SingletonLock'), { force: true })
  const child = spawn(
    executable,
    [...FLAGS, ...flags, '--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank'],
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

export function temporaryProfile(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'attune-profile-'))
  return {
    path,
    remove: () => rmSync(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }),
  }
}
