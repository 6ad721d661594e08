import type { QueueStore } from './store/queue-store.ts'

export interface SessionKeeper {
  /** The newest token this page has seen. */
  known(): string | undefined
  /** The newest token any tab has seen. */
  read(): Promise<string | undefined>
  /** Keeps the token of an answer, unless something newer has been kept since the question. */
  adopt(token: unknown, sent: string | undefined, wrote: boolean): Promise<void>
}

/**
 * Keeps Cosmos's session token, which is opaque here, so numbers inside it cannot be compared.
 *
 * The edge merges the token it was sent into the one it answers with. So an answer is newer than what is kept when the
 * question carried what is kept. An answer to a write is kept always: it proves an event that nothing kept before can
 * contain, while a list that was asked for earlier and comes later (`sent` differs) could take that proof away again.
 */
export function createSessionKeeper(store: QueueStore): SessionKeeper {
  let newest: string | undefined
  const note = (kept: unknown): string | undefined => (newest = typeof kept === 'string' ? kept : undefined)
  return {
    known: () => newest,
    read: async () => note(await store.get('session')),
    async adopt(token, sent, wrote) {
      if (typeof token !== 'string' || token === '') return
      note(
        await store.update('session', (kept) =>
          wrote || kept === undefined || kept === sent ? token : kept,
        ),
      )
    },
  }
}
