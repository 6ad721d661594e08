import type { Batch } from './batch.ts'
import type { Parts } from './parts.ts'
import { advance } from './sequence.ts'
import { keepToken } from './session.ts'

/** The batch needs no further try. */
export const acknowledge = ({ _queue: queue }: Parts, batch: Batch, token?: unknown): Promise<void> =>
  // With the batch: one that is sent again instead is not counted again.
  queue._done(batch, (known) => ({
    ...keepToken(known, token),
    seen: advance(known.seen, batch),
  }))
