import { describe } from '@attune/core'
import type { Site } from './config.ts'
import { EdgeError } from './error.ts'

/** Secrets of sites' servers, by site: each proves who its users are. Several are valid at once, for rotation. */
export type IdentitySecrets = Readonly<Record<string, readonly string[]>>

/** A user's id with the proof of the site's server. */
export interface ProvenUser {
  readonly user: string
  /** Seconds since 1970: until when the proof is good. */
  readonly expires: number
  /** HMAC-SHA-256 of `<site>\n<user>\n<expires>` by the site's secret, in hex. */
  readonly proof: string
}

/** A proof that is good for longer may as well be a password. */
export const MAX_PROOF_LIFE_S = 86_400
const MIN_SECRET_LENGTH = 16

/** `{"shop":["secret"]}` → secrets by site. */
export function readIdentitySecrets(
  input: unknown,
  sites: readonly Site[],
  fail: (path: string, expected: string, received: unknown) => void,
): IdentitySecrets {
  if (input === undefined || input === '') return {}
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    fail('ATTUNE_IDENTITY_SECRETS', 'JSON like {"shop":["a secret of the site’s server"]}', describe(input))
    return {}
  }
  for (const [site, secrets] of Object.entries(input)) {
    const path = `ATTUNE_IDENTITY_SECRETS.${site}`
    if (!sites.some(({ id }) => id === site)) fail(path, 'the id of a site', site.slice(0, 40))
    const good = (secret: unknown) => typeof secret === 'string' && secret.length >= MIN_SECRET_LENGTH
    if (!Array.isArray(secrets) || secrets.length === 0 || !secrets.every(good))
      fail(
        path,
        `secrets of at least ${MIN_SECRET_LENGTH} characters`,
        Array.isArray(secrets) ? secrets.length : secrets,
      )
  }
  return input as IdentitySecrets
}

/**
 * @param now - milliseconds since 1970
 * @throws {EdgeError} `IDENTITY_UNPROVEN`, `IDENTITY_DISABLED`
 */
export async function checkProof(
  secrets: IdentitySecrets,
  site: string,
  { user, expires, proof }: ProvenUser,
  now: number,
): Promise<void> {
  const ofSite = Object.hasOwn(secrets, site) ? secrets[site] : undefined
  if (ofSite === undefined)
    throw new EdgeError('IDENTITY_DISABLED', `site ${site} has no secret to prove its users with`)
  const seconds = now / 1_000
  if (expires <= seconds || expires > seconds + MAX_PROOF_LIFE_S) {
    throw new EdgeError(
      'IDENTITY_UNPROVEN',
      `expires: expected within the next ${MAX_PROOF_LIFE_S} s, received ${Math.round(expires - seconds)} s from now`,
    )
  }
  const text = new TextEncoder().encode(`${site}\n${user}\n${expires}`)
  const signature = bytesOf(proof)
  let good = false
  for (const secret of ofSite) {
    const key = await crypto.subtle.importKey(
      'raw',
      new TextEncoder().encode(secret),
      { name: 'HMAC', hash: 'SHA-256' },
      false,
      ['verify'],
    )
    // The platform's own comparison, which takes the same time wherever the difference is.
    if (await crypto.subtle.verify('HMAC', key, signature, text)) good = true
  }
  if (!good)
    throw new EdgeError(
      'IDENTITY_UNPROVEN',
      'proof: expected an HMAC of site, user and expiry by the site’s secret',
    )
}

function bytesOf(hex: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16))
}
