import type { Batch } from './batch.ts'
import type { Parts } from './parts.ts'
import { advance } from './sequence.ts'
import { adoptToken } from './session.ts'

/** The batch needs no further try. */
export async function acknowledge(
  { _facts: facts, _queue: queue }: Parts,
  batch: Batch,
  token?: unknown,
): Promise<void> {
  // Before the batch goes: one that is sent again instead is not counted again.
  await facts._update((known) => ({
    ...adoptToken(known, token, null),
    seen: advance(known.seen, batch.events),
  }))
  await queue._done(batch)
}
