import { describe } from '../error.ts'
import { ArtifactError } from './errors.ts'

export const ARTIFACT_FORMAT = 1

/** What a file of the artifact is for. `weights` is absent for bring-your-own models. */
export const FILE_ROLES = ['factors', 'tables', 'items', 'weights', 'encoder', 'ranker', 'golden'] as const
export type FileRole = (typeof FILE_ROLES)[number]

export interface ArtifactFile {
  /** Lower-case hex. */
  readonly sha256: string
  readonly bytes: number
}

/** What an epoch consists of: the payload of the signed manifest. */
export interface Manifest {
  readonly format: number
  /** Increasing number of the artifact. */
  readonly epoch: number
  /** Epoch it was trained from; null for the first. */
  readonly parent: number | null
  /** ISO 8601. */
  readonly created: string
  /** Who trained it, with version: `local/0.1.0`. */
  readonly trainer: string
  /** Items N. */
  readonly items: number
  /** Factor width d; a multiple of 16. */
  readonly dim: number
  /** Clicks the encoder looks at, L. */
  readonly historyLength: number
  /** Neighbours kept a row, K. */
  readonly neighbours: number
  /** Names of the ranker's features in order, without the two it makes itself. */
  readonly features: readonly string[]
  readonly context: readonly string[]
  readonly temperature: number
  readonly files: Readonly<Partial<Record<FileRole, ArtifactFile>>>
  /** What the trainer measured before it let the epoch out. */
  readonly gate?: Readonly<Record<string, unknown>>
}

const REQUIRED: readonly FileRole[] = ['factors', 'tables', 'items', 'encoder', 'ranker', 'golden']
export const MAX_ITEMS = 4_000_000
export const MAX_FILE_BYTES = 2_000_000_000

/**
 * Unknown JSON → manifest.
 *
 * @throws {ArtifactError} `ARTIFACT_VERSION_UNSUPPORTED` for a format newer than this code, `ARTIFACT_MALFORMED` otherwise
 */
export function parseManifest(input: unknown): Manifest {
  if (typeof input !== 'object' || input === null) throw bad('manifest', 'an object', input)
  const get = (name: string): unknown => (Object.hasOwn(input, name) ? Reflect.get(input, name) : undefined)
  const format = get('format')
  if (typeof format === 'number' && format > ARTIFACT_FORMAT) {
    throw new ArtifactError(
      'ARTIFACT_VERSION_UNSUPPORTED',
      `manifest.format: expected at most ${ARTIFACT_FORMAT}, received ${format}; upgrade the edge first`,
    )
  }
  const natural = (name: string, min: number, max: number): number => {
    const value = get(name)
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
      throw bad(`manifest.${name}`, `a whole number from ${min} to ${max}`, value)
    }
    return value
  }
  const text = (name: string): string => {
    const value = get(name)
    if (typeof value !== 'string' || value.length > 256)
      throw bad(`manifest.${name}`, 'a short string', value)
    return value
  }
  const names = (name: string): string[] => {
    const value = get(name)
    if (!Array.isArray(value) || value.length > 256 || !value.every((entry) => typeof entry === 'string')) {
      throw bad(`manifest.${name}`, 'an array of at most 256 names', value)
    }
    return value as string[]
  }
  const dim = natural('dim', 16, 1_024)
  if (dim % 16 !== 0) throw bad('manifest.dim', 'a multiple of 16', dim)
  const temperature = get('temperature')
  if (typeof temperature !== 'number' || !(temperature > 0))
    throw bad('manifest.temperature', 'a positive number', temperature)
  const gate = get('gate')
  return {
    format: natural('format', 1, ARTIFACT_FORMAT),
    epoch: natural('epoch', 1, Number.MAX_SAFE_INTEGER),
    parent: get('parent') === null ? null : natural('parent', 1, Number.MAX_SAFE_INTEGER),
    created: text('created'),
    trainer: text('trainer'),
    items: natural('items', 1, MAX_ITEMS),
    dim,
    historyLength: natural('historyLength', 1, 256),
    neighbours: natural('neighbours', 1, 1_024),
    features: names('features'),
    context: names('context'),
    temperature,
    files: parseFiles(get('files')),
    ...(typeof gate === 'object' && gate !== null && { gate: gate as Record<string, unknown> }),
  }
}

function parseFiles(input: unknown): Partial<Record<FileRole, ArtifactFile>> {
  if (typeof input !== 'object' || input === null) throw bad('manifest.files', 'an object', input)
  const files: Partial<Record<FileRole, ArtifactFile>> = {}
  for (const role of FILE_ROLES) {
    if (!Object.hasOwn(input, role)) {
      if (REQUIRED.includes(role)) throw bad(`manifest.files.${role}`, 'a file', undefined)
      continue
    }
    const { sha256, bytes } = (Reflect.get(input, role) ?? {}) as Record<string, unknown>
    if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256)) {
      throw bad(`manifest.files.${role}.sha256`, '64 lower-case hex digits', sha256)
    }
    if (typeof bytes !== 'number' || !Number.isSafeInteger(bytes) || bytes < 1 || bytes > MAX_FILE_BYTES) {
      throw bad(`manifest.files.${role}.bytes`, `1 to ${MAX_FILE_BYTES}`, bytes)
    }
    files[role] = { sha256, bytes }
  }
  return files
}

function bad(path: string, expected: string, received: unknown): ArtifactError {
  return new ArtifactError(
    'ARTIFACT_MALFORMED',
    `${path}: expected ${expected}, received ${describe(received)}`,
  )
}

/** SHA-256 as lower-case hex. */
export async function sha256Hex(bytes: Uint8Array): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
