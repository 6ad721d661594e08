import { spawn } from 'node:child_process'
import { chromium, type BrowserContext } from 'playwright-core'
import { CHROMIUM_ARGS } from './chromium.ts'
import { until } from './stack.ts'

/** A browser process of our own, with a profile that outlives it. */
export interface OwnBrowser {
  readonly context: BrowserContext
  /** `kill -9`: nothing in it gets to tidy up. */
  kill(): Promise<void>
  close(): Promise<void>
}

export async function startOwnBrowser(path: string, profile: string): Promise<OwnBrowser> {
  const args = ['--headless', '--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank']
  const child = spawn(path, [...CHROMIUM_ARGS, ...args], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', (text: Buffer) => (said += String(text)))
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await gone
  }
  try {
    const address = () => /DevTools listening on (ws:\S+)/.exec(said)?.[1]
    const endpoint = await until('the browser listens', address, (found) => found !== undefined)
    const browser = await chromium.connectOverCDP(endpoint ?? '')
    const [context] = browser.contexts()
    if (context === undefined) throw new Error('the browser has no profile')
    return {
      context,
      kill,
      async close() {
        await browser.close().catch(() => undefined)
        await kill()
      },
    }
  } catch (error) {
    await kill()
    throw error
  }
}
