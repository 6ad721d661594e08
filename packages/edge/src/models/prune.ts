import type { FileRole } from '@attune/core/artifact'
import type { Log } from '../log.ts'
import { describeError } from './refusals.ts'
import type { ModelStore } from './store.ts'

/** An operator may go back so far. */
export const EPOCHS_KEPT = 10
/** Files come before the manifest that names them: what nobody names may be on its way for so long. */
const UNNAMED_FOR_MS = 24 * 3_600_000

export interface PruneDeps {
  readonly store: ModelStore
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly log: Log
}

/**
 * Takes old epochs out of a store, which would else grow with every one: the newest {@link EPOCHS_KEPT} stay, the one that
 * is active, and the one before it. Then files that no epoch left names. Never throws: what stays goes the next time.
 */
export async function pruneStore({ store, now, log }: PruneDeps): Promise<void> {
  try {
    const epochs = await store.epochs()
    const active = (await store.pointer())?.epoch
    const before = epochs.filter((epoch) => epoch < (active ?? 0)).at(-1)
    const kept = epochs.filter(
      (epoch, index) => index >= epochs.length - EPOCHS_KEPT || epoch === active || epoch === before,
    )
    const old = epochs.filter((epoch) => !kept.includes(epoch))
    // Manifests first: an epoch that can be activated has its files.
    for (const epoch of old) await store.deleteManifest(epoch)
    const named = new Set<string>()
    for (const epoch of kept)
      for (const sha256 of filesNamed(await store.getManifest(epoch))) named.add(sha256)
    const unnamed = (await store.filesBefore(now() - UNNAMED_FOR_MS)).filter((sha256) => !named.has(sha256))
    if (unnamed.length > 0) await store.deleteFiles(unnamed)
    if (old.length > 0 || unnamed.length > 0)
      log('info', 'old epochs were taken out of the store', { epochs: old.length, files: unnamed.length })
  } catch (error) {
    log('warn', 'old epochs could not be taken out of the store', { error: describeError(error) })
  }
}

/**
 * Digests of the files of an epoch. Its signature was checked when it was taken in, and is not asked again: the key may
 * be gone by now, and the epoch still be one to go back to.
 */
function filesNamed(jws: string | undefined): string[] {
  const payload = jws?.split('.')[1] ?? ''
  const bytes = Uint8Array.from(atob(payload.replace(/-/g, '+').replace(/_/g, '/')), (one) =>
    one.charCodeAt(0),
  )
  const { files } = JSON.parse(new TextDecoder().decode(bytes)) as {
    readonly files: Readonly<Partial<Record<FileRole, { readonly sha256: string }>>>
  }
  return Object.values(files).map(({ sha256 }) => sha256)
}
