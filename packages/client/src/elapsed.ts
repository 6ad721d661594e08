/** Milliseconds that never jump. */
export const elapsed = (): number => performance.now()
