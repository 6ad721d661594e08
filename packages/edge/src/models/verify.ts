import {
  ArtifactError,
  parseDeltaHeader,
  parseManifest,
  sha256Hex,
  splitDelta,
  type ArtifactFile,
  type DeltaHeader,
  type FileRole,
  type Manifest,
} from '@attune/core/artifact'
import { compactVerify, decodeProtectedHeader, importJWK, type CryptoKey } from 'jose'
import type { VerifyKey } from '../config.ts'
import type { ModelStore } from './store.ts'

const MANIFEST_TYPE = 'attune-manifest+jws'
const DELTA_TYPE = 'attune-delta+jws'

/** Checks signatures against the keys this edge trusts. */
export class Verifier {
  readonly #keys: readonly VerifyKey[]
  readonly #imported: (CryptoKey | undefined)[]

  constructor(keys: readonly VerifyKey[]) {
    this.#keys = keys
    this.#imported = keys.map(() => undefined)
  }

  /**
   * A manifest as compact JWS → its content.
   *
   * @throws {ArtifactError} `ARTIFACT_SIGNATURE_INVALID`, `ARTIFACT_VERSION_UNSUPPORTED`, `ARTIFACT_MALFORMED`
   */
  async manifest(jws: string): Promise<Manifest> {
    return parseManifest(await this.#payload(jws.trim(), MANIFEST_TYPE, 'manifest'))
  }

  /**
   * A delta's body → its header and tensors, the digest checked.
   *
   * @throws {ArtifactError} `ARTIFACT_SIGNATURE_INVALID`, `ARTIFACT_VERSION_UNSUPPORTED`, `ARTIFACT_MALFORMED`,
   * `ARTIFACT_DIGEST_MISMATCH`
   */
  async delta(body: Uint8Array): Promise<{ header: DeltaHeader; tensors: Uint8Array }> {
    const { jws, tensors } = splitDelta(body)
    const header = parseDeltaHeader(await this.#payload(jws, DELTA_TYPE, 'delta'))
    await checkDigest('delta', tensors, header)
    return { header, tensors }
  }

  /** A signature made for one purpose is not taken for another; a header without a type is taken for either. */
  async #payload(jws: string, type: string, what: string): Promise<unknown> {
    const { kid, typ } = header(jws, what)
    if (typ !== undefined && typ !== type) throw unsigned(what, `typ ${type}`, `typ ${typ.slice(0, 40)}`)
    const candidates = this.#keys.flatMap((key, index) =>
      kid === undefined || key.kid === undefined || key.kid === kid ? [index] : [],
    )
    for (const index of candidates) {
      try {
        const { payload } = await compactVerify(jws, await this.#key(index), {
          algorithms: ['EdDSA', 'Ed25519'],
        })
        return JSON.parse(new TextDecoder().decode(payload)) as unknown
      } catch (error) {
        if (error instanceof SyntaxError)
          throw new ArtifactError('ARTIFACT_MALFORMED', `${what}: signed, but not JSON`)
        // The next key may be the one.
      }
    }
    throw unsigned(
      what,
      'a signature by a trusted key',
      kid === undefined ? 'another' : `kid ${kid.slice(0, 40)}`,
    )
  }

  async #key(index: number): Promise<CryptoKey> {
    const key = (this.#imported[index] ??= (await importJWK({ ...this.#keys[index] }, 'EdDSA')) as CryptoKey)
    return key
  }
}

function header(jws: string, what: string): { kid: string | undefined; typ: string | undefined } {
  try {
    const { kid, typ } = decodeProtectedHeader(jws)
    return { kid, typ }
  } catch {
    throw unsigned(what, 'a compact JWS', `${jws.length} characters that are not one`)
  }
}

function unsigned(what: string, expected: string, received: string): ArtifactError {
  return new ArtifactError(
    'ARTIFACT_SIGNATURE_INVALID',
    `${what}: expected ${expected}, received ${received}`,
  )
}

/** @throws {ArtifactError} `ARTIFACT_DIGEST_MISMATCH` */
export async function checkDigest(what: string, bytes: Uint8Array, expected: ArtifactFile): Promise<void> {
  const received = await sha256Hex(bytes)
  if (bytes.length === expected.bytes && received === expected.sha256) return
  throw new ArtifactError(
    'ARTIFACT_DIGEST_MISMATCH',
    `${what}: expected sha-256 ${expected.sha256} of ${expected.bytes} bytes, received ${received} of ${bytes.length}`,
  )
}

/** Files of an epoch by role. */
export type ArtifactFiles = Partial<Record<FileRole, Uint8Array>>

/**
 * Reads the files a manifest names and checks their digests.
 *
 * @throws {ArtifactError} `ARTIFACT_FILE_MISSING`, `ARTIFACT_DIGEST_MISMATCH`
 */
export async function readFiles(
  store: ModelStore,
  manifest: Manifest,
  roles: readonly FileRole[],
): Promise<ArtifactFiles> {
  const files: ArtifactFiles = {}
  for (const role of roles) {
    const file = manifest.files[role]
    if (file === undefined) continue
    const bytes = await store.getFile(file.sha256)
    if (bytes === undefined) {
      throw new ArtifactError(
        'ARTIFACT_FILE_MISSING',
        `epoch ${manifest.epoch}, ${role}: ${file.sha256} was not uploaded`,
      )
    }
    await checkDigest(`epoch ${manifest.epoch}, ${role}`, bytes, file)
    files[role] = bytes
  }
  return files
}

/** @throws {ArtifactError} `ARTIFACT_FILE_MISSING` */
export function fileOf(files: ArtifactFiles, role: FileRole): Uint8Array {
  const bytes = files[role]
  if (bytes === undefined)
    throw new ArtifactError('ARTIFACT_FILE_MISSING', `${role}: the manifest names no such file`)
  return bytes
}
