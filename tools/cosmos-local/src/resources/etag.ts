let counter = 0

/** An etag for a database, container or offer: new at every change, across restarts too. */
export function newEtag(nowMs: number): string {
  const hex = (value: number, digits: number): string =>
    value.toString(16).padStart(digits, '0').slice(-digits)
  counter = (counter + 1) & 0xffff
  const seconds = Math.floor(nowMs / 1000)
  return `"${hex(nowMs % 0xffff_ffff, 8)}-${hex(counter, 4)}-0d00-0000-${hex(seconds, 8)}0000"`
}
