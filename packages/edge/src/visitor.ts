import { base64url } from './base64url.ts'
import { EdgeError } from './error.ts'

const ID_BYTES = 16
const SIGNATURE_BYTES = 16
const HANDLE = /^[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{22}$/
const MAX_KNOWN = 20_000

/** Makes and checks visitor handles `<id>.<signature>`: docs/wire-protocol.md. */
export interface Visitors {
  create(site: string): Promise<string>
  /** A new id, as `create` would sign it. */
  newId(): string
  /** The handle of an id given out before. */
  handleOf(site: string, id: string): Promise<string>
  /**
   * @returns the visitor's id, without the signature
   * @throws {EdgeError} `VISITOR_FORGED`
   */
  verify(site: string, handle: string): Promise<string>
}

/**
 * @param secrets - the first signs, all verify
 * @param randomBytes - fills an array with random bytes, as `crypto.getRandomValues`
 */
export function createVisitors(
  secrets: readonly string[],
  randomBytes: (bytes: Uint8Array<ArrayBuffer>) => void,
): Visitors {
  let keys: readonly CryptoKey[] | undefined
  // Handles found good lately: a warm rank computes no HMAC. Two generations bound it without bookkeeping per use.
  let young = new Set<string>()
  let old = new Set<string>()
  const macs = async (site: string, id: string): Promise<string[]> => {
    keys ??= await Promise.all(
      secrets.map((secret) =>
        crypto.subtle.importKey(
          'raw',
          new TextEncoder().encode(secret),
          { name: 'HMAC', hash: 'SHA-256' },
          false,
          ['sign'],
        ),
      ),
    )
    const text = new TextEncoder().encode(`${site}\n${id}`)
    return Promise.all(
      keys.map(async (key) =>
        base64url(new Uint8Array(await crypto.subtle.sign('HMAC', key, text)).subarray(0, SIGNATURE_BYTES)),
      ),
    )
  }
  const newId = (): string => {
    const bytes = new Uint8Array(ID_BYTES)
    randomBytes(bytes)
    return base64url(bytes)
  }
  const handleOf = async (site: string, id: string): Promise<string> => {
    const [signature] = await macs(site, id)
    return `${id}.${signature ?? ''}`
  }
  return {
    create: (site) => handleOf(site, newId()),
    newId,
    handleOf,
    async verify(site, handle) {
      const known = `${site} ${handle}`
      const id = handle.slice(0, 22)
      if (young.has(known)) return id
      if (!old.has(known)) {
        if (!HANDLE.test(handle)) throw forged()
        const signature = handle.slice(23)
        const good = (await macs(site, id)).map((mac) => sameText(mac, signature))
        if (!good.includes(true)) throw forged()
      }
      if (young.size >= MAX_KNOWN) {
        old = young
        young = new Set()
      }
      young.add(known)
      return id
    },
  }
}

function forged(): EdgeError {
  return new EdgeError('VISITOR_FORGED', 'visitor: expected a handle from POST /v1/visitors of this site')
}

/** Both 22 characters; compared without an early exit. */
function sameText(a: string, b: string): boolean {
  let difference = a.length ^ b.length
  for (let index = 0; index < a.length; index++) difference |= a.charCodeAt(index) ^ b.charCodeAt(index)
  return difference === 0
}
