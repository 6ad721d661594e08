import { modelOf, readArtifact } from '../artifact/folder.ts'
import { LiveModel } from '../refresh/live-model.ts'
import { newestState } from './generation.ts'
import { StateFolder } from './folder.ts'

/** Where a bridge that is not running would go on from. */
export interface KeptState {
  readonly model: LiveModel
  readonly epoch: number
}

/**
 * Reads what a bridge, or several with one folder, have written down: newest snapshot and what came after it.
 *
 * @returns undefined when nothing was written yet
 * @throws {BridgeError} `STATE_LOCKED` while a bridge of this machine runs on it; `STATE_UNREADABLE`
 */
export async function readState(root: string): Promise<KeptState | undefined> {
  const path = await newestState(root)
  if (path === undefined) return undefined
  const folder = await StateFolder.open(path)
  try {
    const loaded = await folder.load()
    if (loaded === undefined) return undefined
    const { snapshot, batches } = loaded
    const model = new LiveModel(modelOf(await readArtifact(path, snapshot.baseEpoch)), snapshot.live)
    for (const batch of batches) model.apply(batch)
    return { model, epoch: snapshot.epoch }
  } finally {
    await folder.close()
  }
}
