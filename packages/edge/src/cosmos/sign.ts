/** Signs a request: `verb`, resource type and link → the values of `authorization` and `x-ms-date`. */
export type Sign = (verb: string, type: string, link: string, now: number) => Promise<Signature>

export interface Signature {
  readonly authorization: string
  readonly date: string
}

/** Cosmos takes a date up to 15 minutes off, so one signature serves many requests. */
const SIGNATURE_LIFE_MS = 60_000
const MAX_CACHED = 64

/**
 * Master-key signatures by WebCrypto. The imported key and the signatures are kept: what is signed names the container
 * and the minute, not the document, so warm requests sign nothing.
 *
 * @param key - account key, base64
 * @see https://learn.microsoft.com/rest/api/cosmos-db/access-control-on-cosmosdb-resources
 */
export function createSigner(key: string): Sign {
  let imported: CryptoKey | undefined
  const cache = new Map<string, { signature: Signature; at: number }>()
  return async (verb, type, link, now) => {
    const name = `${verb} ${type} ${link}`
    const known = cache.get(name)
    if (known !== undefined && now >= known.at && now - known.at < SIGNATURE_LIFE_MS) return known.signature
    const date = new Date(now).toUTCString()
    const text = `${verb.toLowerCase()}\n${type}\n${link}\n${date.toLowerCase()}\n\n`
    const bytes = Uint8Array.from(atob(key), (char) => char.charCodeAt(0))
    // Values are kept, never promises: in workerd a promise of an abandoned request does not settle.
    imported ??= await crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: 'SHA-256' }, false, [
      'sign',
    ])
    const mac = new Uint8Array(await crypto.subtle.sign('HMAC', imported, new TextEncoder().encode(text)))
    const authorization = encodeURIComponent(`type=master&ver=1.0&sig=${btoa(String.fromCharCode(...mac))}`)
    const signature = { authorization, date }
    if (cache.size >= MAX_CACHED) cache.clear()
    cache.set(name, { signature, at: now })
    return signature
  }
}

/**
 * Authorizes by tokens of Entra ID instead: the data-plane roles of their principal decide what a request may do.
 *
 * @param token - a token for `https://cosmos.azure.com`; asked for on every request, so it is to be kept there
 * @see https://learn.microsoft.com/azure/cosmos-db/nosql/reference-data-plane-security
 */
export function createTokenSigner(token: () => Promise<string>): Sign {
  return async (_verb, _type, _link, now) => ({
    authorization: encodeURIComponent(`type=aad&ver=1.0&sig=${await token()}`),
    date: new Date(now).toUTCString(),
  })
}
