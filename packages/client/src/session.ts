import type { Facts } from './store/facts.ts'

/**
 * Keeps the token of an answer, unless something newer has been kept since the question. Cosmos's session token is
 * opaque here, so numbers inside it cannot be compared.
 *
 * The edge merges the token it was sent into the one it answers with. So an answer is newer than what is kept when the
 * question carried what is kept. An answer to a write is kept always: it proves an event that nothing kept before can
 * contain, while a list that was asked for earlier and comes later (`sent` differs) could take that proof away again.
 *
 * @param sent - what the question carried; null for a write
 */
export const adoptToken = (facts: Facts, token: unknown, sent: string | null | undefined): Facts =>
  typeof token === 'string' && token && (sent === null || !facts.session || facts.session === sent)
    ? { ...facts, session: token }
    : facts
