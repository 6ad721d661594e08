/** `[0, 1)`, like `Math.random`. */
export type Random = () => number

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i

/**
 * A UUID version 7: 48 bits of milliseconds, 74 random bits. Ids made later sort later, except within a millisecond.
 *
 * @param now - milliseconds since 1970
 * @see RFC 9562, §5.7
 */
export function uuidv7(now: number, random: Random): string {
  const time = Math.max(0, Math.floor(now)).toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7xxx-yxxx-xxxxxxxxxxxx`.replace(/[xy]/g, (digit) =>
    Math.floor(digit === 'x' ? random() * 16 : 8 + random() * 4).toString(16),
  )
}

/** Whether `text` is a UUID of any version, in the usual notation. */
export function isUuid(text: unknown): text is string {
  return typeof text === 'string' && UUID.test(text)
}
