import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { SigningKey } from '@attune/trainer-bridge'
import type { Keys } from './parts.ts'

type Stored = Omit<Keys, 'signing'>

export const KEYS_FILE = 'keys.json'
export const SIGNING_KEY_FILE = 'signing-key.json'

/** The keys of this data folder; made at the first start, readable by their owner only, never part of the repository. */
export async function loadOrCreateKeys(folder: string): Promise<Keys> {
  const path = join(folder, KEYS_FILE)
  const signing = await signingKey(join(folder, SIGNING_KEY_FILE))
  const secret = () => randomBytes(32).toString('base64url')
  try {
    const known = JSON.parse(await readFile(path, 'utf8')) as Omit<Stored, 'admin'> & { admin?: string }
    const { admin = secret() } = known
    // A folder of before there was a live page.
    if (known.admin === undefined) await writeFile(path, text({ ...known, admin }), { mode: 0o600 })
    return { ...known, admin, signing }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const stored: Stored = {
    site: `pk_${randomBytes(12).toString('base64url')}`,
    push: secret(),
    admin: secret(),
    visitorSecret: secret(),
    cosmos: randomBytes(64).toString('base64'),
  }
  await writeFile(path, text(stored), { mode: 0o600, flag: 'wx' })
  return { ...stored, signing }
}

function text(keys: Stored): string {
  return `${JSON.stringify(keys, null, 2)}\n`
}

async function signingKey(path: string): Promise<SigningKey> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as SigningKey
  } catch {
    // Making one needs the whole bridge's code: seconds that later starts do not spend. It says what is wrong with a bad one.
    const { loadOrCreateSigningKey } = await import('@attune/trainer-bridge')
    return loadOrCreateSigningKey(path)
  }
}
