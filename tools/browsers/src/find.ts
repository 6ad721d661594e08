import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

const NAMES = {
  chromium: ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'chrome', 'msedge'],
  firefox: ['firefox', 'firefox-esr'],
  webkit: ['WebKitWebDriver'],
} as const

/** Where macOS keeps them, off the PATH. */
const USUAL: Partial<Record<BrowserName, readonly string[]>> = {
  chromium: [
    '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
    '/Applications/Chromium.app/Contents/MacOS/Chromium',
  ],
  firefox: ['/Applications/Firefox.app/Contents/MacOS/firefox'],
}

export type BrowserName = keyof typeof NAMES

/**
 * Path of a browser: `ATTUNE_CHROMIUM`, `ATTUNE_FIREFOX` or (WebKit's driver) `ATTUNE_WEBKIT`, else the first of its usual
 * names on PATH.
 *
 * @returns undefined when there is none and this is not CI
 * @throws {Error} in CI, where a browser that is missing must not pass for a test that passed
 */
export function findBrowser(name: BrowserName, env: NodeJS.ProcessEnv = process.env): string | undefined {
  const variable = `ATTUNE_${name.toUpperCase()}`
  const chosen = env[variable]
  const onPath = (env['PATH'] ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .flatMap((folder) => NAMES[name].map((file) => join(folder, file)))
  const found = (chosen ? [chosen] : [...onPath, ...(USUAL[name] ?? [])]).find(isExecutable)
  if (found === undefined && env['CI'])
    throw new Error(`no ${name}: set ${variable} or put one of ${NAMES[name].join(', ')} on PATH`)
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
