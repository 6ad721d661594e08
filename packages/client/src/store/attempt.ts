/** Storage that a browser may refuse. */
export function attempt(work: () => unknown): void {
  try {
    work()
  } catch {
    // Refused or full: it goes without.
  }
}
