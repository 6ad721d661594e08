import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'chrome', 'msedge']
const USUAL = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
]

/** A Chromium on this machine: `ATTUNE_CHROMIUM`, a common name on the PATH, or a usual place; else undefined. */
export function findChromium(env: NodeJS.ProcessEnv = process.env): string | undefined {
  const named = env['ATTUNE_CHROMIUM']
  if (named !== undefined && named !== '') return named
  const places = (env['PATH'] ?? '')
    .split(delimiter)
    .flatMap((folder) => NAMES.map((name) => join(folder, name)))
  return [...places, ...USUAL].find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/**
 * The browser tests run in, or why they do not.
 *
 * @throws in CI, where a missing browser is a failure
 */
export function browserOrReason(
  env: NodeJS.ProcessEnv = process.env,
): { readonly path: string } | { readonly reason: string } {
  const path = findChromium(env)
  if (path !== undefined) return { path }
  const reason = 'no Chromium found: install one, or name it in ATTUNE_CHROMIUM'
  if (env['CI']) throw new Error(reason)
  return { reason }
}

/** For a container without a sandbox, quiet, and without calls home. */
export const CHROMIUM_ARGS: readonly string[] = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
