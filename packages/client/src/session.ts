import type { Facts } from './store/facts.ts'

/**
 * Keeps the token of an answer, if there is one. Cosmos's session token is opaque here, so numbers inside it cannot be
 * compared.
 *
 * An answer to a write is kept always: it proves an event that nothing kept before can contain.
 */
export const keepToken = (facts: Facts, token: unknown): Facts =>
  typeof token === 'string' && token ? { ...facts, session: token } : facts

/**
 * The same for a list's answer, unless something newer has been kept since the question. The edge merges the token it was
 * sent into the one it answers with, so an answer is newer than what is kept when the question carried what is kept. A list
 * that was asked for before a write and comes after it could take away the write's proof.
 *
 * @param sent - what the question carried
 */
export const adoptToken = (facts: Facts, token: unknown, sent: string | undefined): Facts =>
  facts.session && facts.session !== sent ? facts : keepToken(facts, token)
