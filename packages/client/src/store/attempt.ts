/** Storage that a browser may refuse, or a page has filled: then there is nothing, and it goes without. */
export function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}
