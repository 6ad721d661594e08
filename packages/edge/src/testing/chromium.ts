import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'chrome']

export const CHROMIUM_ARGS: string[] = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--no-first-run',
]

/** `ATTUNE_CHROMIUM`, else a usual name on PATH. @throws in CI, where a missing browser is a failure */
export function findChromium(): string | undefined {
  const chosen = process.env['ATTUNE_CHROMIUM']
  const onPath = (process.env['PATH'] ?? '')
    .split(delimiter)
    .flatMap((folder) => NAMES.map((name) => join(folder, name)))
  const found = (chosen ? [chosen] : onPath).find((file) => {
    try {
      accessSync(file, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
  if (found === undefined && process.env['CI'])
    throw new Error(`no Chromium: set ATTUNE_CHROMIUM or put one of ${NAMES.join(', ')} on PATH`)
  return found
}
