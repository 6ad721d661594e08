import { NO_ITEM, sha256Hex, type FileRole, type Manifest } from '@attune/core/artifact'
import type { Random } from '@attune/core'
import type { Scanner } from '@attune/core/rank'
import type { GoldenHistory } from '../train/golden.ts'
import { artifactFiles, modelShape, type TrainedModel } from '../train/trained-model.ts'

/** An epoch ready to be signed and pushed: files by the SHA-256 that names them. */
export interface Artifact {
  readonly manifest: Manifest
  readonly files: ReadonlyMap<string, Uint8Array>
}

export interface ArtifactOptions {
  readonly epoch: number
  readonly parent: number | null
  /** ISO 8601 */
  readonly created: string
  /** With version: `local/0.1.0`. */
  readonly trainer: string
  readonly gate?: Readonly<Record<string, unknown>>
  readonly makeScanner: (dim: number, capacity: number) => Scanner
  readonly random: Random
}

/** Histories golden vectors start from; more than the 8 needed, so that 8 have lists without near ties. */
const GOLDEN_WALKS = 32
const LONGEST_WALK = 12

/** Trained arrays → files named by their digest, and the manifest that lists them. */
export async function buildArtifact(model: TrainedModel, options: ArtifactOptions): Promise<Artifact> {
  const contents = await artifactFiles(model, walkHistories(model, options.random), options.makeScanner)
  const files = new Map<string, Uint8Array>()
  const listed: Partial<Record<FileRole, { sha256: string; bytes: number }>> = {}
  for (const [role, bytes] of Object.entries(contents) as [FileRole, Uint8Array][]) {
    const sha256 = await sha256Hex(bytes)
    files.set(sha256, bytes)
    listed[role] = { sha256, bytes: bytes.length }
  }
  const { epoch, parent, created, trainer, gate } = options
  return {
    manifest: {
      format: 1,
      epoch,
      parent,
      created,
      trainer,
      ...modelShape(model),
      files: listed,
      ...(gate !== undefined && { gate }),
    },
    files,
  }
}

/** The payload that is signed. */
export function manifestBytes(manifest: Manifest): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(manifest))
}

/**
 * Histories as visitors of this model would leave them: walks along the table of sequential rules from items drawn at
 * random. They need no visitor's data, so an artifact never carries any.
 */
export function walkHistories(model: TrainedModel, random: Random): GoldenHistory[] {
  const { ids, neighbours: k, tables } = model
  return Array.from({ length: GOLDEN_WALKS }, () => {
    let row = Math.floor(random() * ids.length)
    const items: string[] = []
    const length = 1 + Math.floor(random() * LONGEST_WALK)
    while (items.length < length) {
      items.push(ids[row] as string)
      const targets = tables.srItems.subarray(row * k, (row + 1) * k)
      const kept = targets.indexOf(NO_ITEM) < 0 ? k : targets.indexOf(NO_ITEM)
      row =
        kept === 0
          ? Math.floor(random() * ids.length)
          : (targets[Math.floor(random() * Math.min(kept, 5))] as number)
    }
    return { items }
  })
}
