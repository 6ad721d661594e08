import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { seededRandom } from '@attune/core/testing'
import { buildArtifact, manifestBytes, type Artifact } from './artifact/build.ts'
import { writeArtifact } from './artifact/folder.ts'
import type { BridgeDeps } from './bridge-deps.ts'
import type { Release, SignedEpoch } from './push/release.ts'
import type { TrainedModel } from './train/trained-model.ts'

const MIN_DELTA_BYTES = 64_000_000

export interface EpochOptions {
  readonly epoch: number
  readonly parent: number | null
  readonly trainer: string
  readonly gate: Readonly<Record<string, unknown>>
  /** Seeds the histories of its golden vectors; the epoch when absent. */
  readonly seed?: number
}

/** Makes an artifact of a model and puts it into the bridge's folder. */
export async function writeEpoch(
  { folder, now, makeScanner }: Pick<BridgeDeps, 'folder' | 'now' | 'makeScanner'>,
  model: TrainedModel,
  { epoch, parent, trainer, gate, seed = epoch }: EpochOptions,
): Promise<Artifact> {
  const artifact = await buildArtifact(model, {
    epoch,
    parent,
    created: new Date(now()).toISOString(),
    trainer,
    gate,
    makeScanner,
    random: seededRandom(seed),
  })
  await writeArtifact(folder.path, artifact)
  return artifact
}

export async function signEpoch(
  { signer, folder }: Pick<BridgeDeps, 'signer' | 'folder'>,
  { manifest }: Artifact,
): Promise<SignedEpoch> {
  return {
    manifest,
    jws: await signer.sign(manifestBytes(manifest), 'attune-manifest+jws'),
    file: (sha256) => readFile(join(folder.path, 'files', sha256)),
  }
}

/** Bytes of deltas past which a fresh epoch is cheaper for an edge that starts anew. */
export function deltaBytesOf({ epoch }: Release): number {
  const bytes = Object.values(epoch.manifest.files).reduce((sum, file) => sum + file.bytes, 0)
  return Math.max(MIN_DELTA_BYTES, 4 * bytes)
}

/** Where the counts on top of the first model begin, ISO 8601. */
export function startTime(start: BridgeDeps['start'], now: number): string {
  if (start === 'beginning') return new Date(0).toISOString()
  return (start === 'now' ? new Date(now) : start).toISOString()
}
