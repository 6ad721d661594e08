import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loadOrCreateSigningKey } from '@attune/trainer-bridge'
import type { Keys } from './parts.ts'

type Stored = Omit<Keys, 'signing'>

export const KEYS_FILE = 'keys.json'

/** The keys of this data folder; made at the first start, readable by their owner only, never part of the repository. */
export async function loadOrCreateKeys(folder: string): Promise<Keys> {
  const path = join(folder, KEYS_FILE)
  const signing = await loadOrCreateSigningKey(join(folder, 'signing-key.json'))
  try {
    return { ...(JSON.parse(await readFile(path, 'utf8')) as Stored), signing }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const secret = () => randomBytes(32).toString('base64url')
  const stored: Stored = {
    site: `pk_${randomBytes(12).toString('base64url')}`,
    push: secret(),
    visitorSecret: secret(),
    cosmos: randomBytes(64).toString('base64'),
  }
  await writeFile(path, `${JSON.stringify(stored, null, 2)}\n`, { mode: 0o600, flag: 'wx' })
  return { ...stored, signing }
}
