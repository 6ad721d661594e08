const PATIENCE_MS = 120_000

/** Asks every half second until it is so. @returns false when it was not within two minutes */
export async function poll(done: () => Promise<boolean>): Promise<boolean> {
  const until = Date.now() + PATIENCE_MS
  while (Date.now() < until) {
    if (await done()) return true
    await new Promise((resolve) => setTimeout(resolve, 500))
  }
  return false
}
