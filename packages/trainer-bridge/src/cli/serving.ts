import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Artifact } from '../artifact/build.ts'
import { listEpochs, readArtifact, readManifest } from '../artifact/folder.ts'
import { SNAPSHOT } from '../state/folder.ts'
import { newestState } from '../state/generation.ts'
import { readSnapshot } from '../state/snapshot.ts'

/**
 * The newest epoch of an artifact folder; of a bridge's folder the model it went out from, without what was clicked
 * since: a new model is not held against one that has read the visits they are compared on.
 *
 * @param mustBe - complain when there is none
 * @throws {BridgeError} `ARTIFACT_FOLDER_MISSING`, `STATE_UNREADABLE`
 */
export async function servedBy(folder: string, mustBe: boolean): Promise<Artifact | undefined> {
  const state = await newestState(folder)
  const epoch =
    state === undefined
      ? (await listEpochs(folder)).at(-1)
      : readSnapshot(await readFile(join(state, SNAPSHOT))).baseEpoch
  return epoch === undefined && !mustBe ? undefined : readArtifact(state ?? folder, epoch)
}

/** The epoch of a folder that was made at this time; undefined when it is not there. */
export async function madeAt(folder: string, created: string): Promise<Artifact | undefined> {
  for (const epoch of (await listEpochs(folder)).reverse()) {
    const manifest = await readManifest(folder, epoch)
    if (manifest?.created === created) return readArtifact(folder, epoch)
  }
  return undefined
}
