import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { BridgeError } from '../error.ts'
import { newestState } from '../state/generation.ts'
import type { Artifact } from './build.ts'
import { listEpochs, modelOf, readArtifact, writeArtifact } from './folder.ts'
import type { NewBase } from '../bridge-deps.ts'

/** Where a running bridge looks for a model to go on from. */
const NEXT = 'next'
const HELD = 'held'

/**
 * Puts an artifact where the bridge of `folder` finds it.
 *
 * @throws {BridgeError} `ARTIFACT_FOLDER_MISSING` when it is no bridge's folder
 */
export async function handOver(folder: string, artifact: Artifact): Promise<void> {
  if ((await newestState(folder)) === undefined)
    throw new BridgeError('ARTIFACT_FOLDER_MISSING', `${folder}: expected the folder of a bridge (state.bin)`)
  await rm(join(folder, NEXT), { recursive: true, force: true })
  await writeArtifact(join(folder, NEXT), artifact)
}

/** The artifact that was handed over, if any. */
export async function handedOver(folder: string): Promise<NewBase | undefined> {
  const next = join(folder, NEXT)
  if ((await listEpochs(next)).length === 0) return undefined
  const artifact = await readArtifact(next)
  const { trainer, gate } = artifact.manifest
  return {
    model: modelOf(artifact),
    trainer,
    since: trainedThrough(artifact),
    ...(gate !== undefined && { gate }),
  }
}

/** Keeps what must not be taken over where its report can be looked at. */
export async function keepAside(folder: string): Promise<void> {
  await writeArtifact(join(folder, HELD), await readArtifact(join(folder, NEXT)))
}

/** Forgets it: it has been taken over, or cannot be. */
export async function clearHandOver(folder: string): Promise<void> {
  await rm(join(folder, NEXT), { recursive: true, force: true })
}

/** Up to when an artifact's visits reach, milliseconds since 1970: as its trainer said, else when it was made. */
export function trainedThrough({ manifest }: Artifact): number {
  const through = manifest.gate?.['through']
  const at = typeof through === 'string' ? Date.parse(through) : Number.NaN
  return Number.isNaN(at) ? Date.parse(manifest.created) : at
}
