import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { calculateJwkThumbprint, CompactSign, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose'
import { BridgeError } from '../error.ts'

/** Protected `typ` of what is signed, so that a delta's signature can never pass for a manifest's. */
export type SignedType = 'attune-manifest+jws' | 'attune-delta+jws'

/** Private Ed25519 key as JWK; `kid` is its RFC 7638 thumbprint unless it names another. */
export interface SigningKey extends JWK {
  readonly kty: 'OKP'
  readonly crv: 'Ed25519'
  readonly x: string
  readonly d: string
}

export interface Signer {
  readonly kid: string
  /** What edges are configured with. */
  readonly publicJwk: JWK
  /** @returns compact JWS, `alg: EdDSA` */
  sign(payload: Uint8Array, type: SignedType): Promise<string>
}

export async function generateSigningKey(): Promise<SigningKey> {
  const { privateKey } = await generateKeyPair('Ed25519', { extractable: true })
  const jwk = await exportJWK(privateKey)
  return asSigningKey({ ...jwk, kid: await calculateJwkThumbprint(jwk), alg: 'EdDSA', use: 'sig' })
}

/** @throws {BridgeError} `SIGNING_KEY_INVALID` */
export async function createSigner(key: SigningKey): Promise<Signer> {
  const checked = asSigningKey(key)
  const kid = checked.kid ?? (await calculateJwkThumbprint(checked))
  let imported: Awaited<ReturnType<typeof importJWK>>
  try {
    imported = await importJWK(checked, 'EdDSA')
  } catch (cause) {
    throw new BridgeError('SIGNING_KEY_INVALID', 'signing key: x and d are not an Ed25519 key pair', {
      cause,
    })
  }
  return {
    kid,
    publicJwk: publicJwk({ ...checked, kid }),
    sign: (payload, type) =>
      new CompactSign(payload).setProtectedHeader({ alg: 'EdDSA', typ: type, kid }).sign(imported),
  }
}

/** The half that may be shown. */
export function publicJwk({ kty, crv, x, kid }: SigningKey): JWK {
  return { kty, crv, x, ...(kid !== undefined && { kid }), alg: 'EdDSA', use: 'sig' }
}

/** @throws {BridgeError} `SIGNING_KEY_INVALID` */
export function asSigningKey(input: unknown): SigningKey {
  const { kty, crv, x, d } = (typeof input === 'object' && input !== null ? input : {}) as Record<
    string,
    unknown
  >
  if (kty !== 'OKP' || crv !== 'Ed25519' || typeof x !== 'string' || typeof d !== 'string') {
    throw new BridgeError(
      'SIGNING_KEY_INVALID',
      'signing key: expected a private JWK {"kty":"OKP","crv":"Ed25519","x":…,"d":…}; make one with `attune keys generate`',
    )
  }
  return input as SigningKey
}

/** @throws {BridgeError} `SIGNING_KEY_INVALID` */
export function parseSigningKey(text: string): SigningKey {
  let input: unknown
  try {
    input = JSON.parse(text)
  } catch (cause) {
    // The cause would quote the text, which may be most of a key.
    void cause
    throw new BridgeError('SIGNING_KEY_INVALID', `signing key: ${text.length} characters that are not JSON`)
  }
  return asSigningKey(input)
}

/** Reads a key file, or makes one that only its owner can read. */
export async function loadOrCreateSigningKey(path: string): Promise<SigningKey> {
  try {
    return parseSigningKey(await readFile(path, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const key = await generateSigningKey()
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, `${JSON.stringify(key, null, 2)}\n`, { mode: 0o600, flag: 'wx' })
  await chmod(path, 0o600)
  return key
}
