/**
 * What a check stands for in the TLA+ specification of Cosmos's consistency levels (azure-cosmos-tla,
 * general-model/cosmos_client.tla):
 *
 * - read-your-writes: `ReadYourWrite`, part of `Session`
 * - monotonic-reads: `MonotonicReadPerClient`, part of `Session`
 * - strong: `ReadAfterWrite` and `Monotonic(History)`, together `Strong`
 * - only-what-was-written: `AnyReadPerRegion` and `Eventual`, for reads that ask for eventual consistency too
 * - convergence: `Liveness`, every region ends with the same data
 * - batch-atomic, no-lost-write, feed-order, feed-complete, writes-follow-reads: not in the specification, which
 *   has neither batches, crashes, a change feed nor tokens that pass between clients
 */
export type Property =
  | 'read-your-writes'
  | 'monotonic-reads'
  | 'writes-follow-reads'
  | 'strong'
  | 'batch-atomic'
  | 'only-what-was-written'
  | 'no-lost-write'
  | 'feed-order'
  | 'feed-complete'
  | 'convergence'

/**
 * Every register has one writer, who counts: the value read says which version it is. The owner's attempts and
 * acknowledgements are all there is to know about a register.
 */
export class History {
  readonly attempted: Map<string, number> = new Map<string, number>()
  readonly acknowledged: Map<string, number> = new Map<string, number>()
  /** Values of a register that were acknowledged, in order. */
  readonly values: Map<string, number[]> = new Map<string, number[]>()
  readonly violations: { property: Property; detail: string }[] = []
  /** Highest value that any finished read has given: strong reads never go behind it. */
  readonly observed: Map<string, number> = new Map<string, number>()
  operations = 0
  stale = 0
  unknown = 0

  attempt(register: string): number {
    const value = (this.attempted.get(register) ?? 0) + 1
    this.attempted.set(register, value)
    return value
  }

  acknowledge(register: string, value: number): void {
    this.acknowledged.set(register, Math.max(value, this.acknowledged.get(register) ?? 0))
    const values = this.values.get(register)
    if (values === undefined) this.values.set(register, [value])
    else values.push(value)
  }

  violate(property: Property, detail: string): void {
    this.violations.push({ property, detail })
    if (this.violations.length <= 5) process.stderr.write(`VIOLATION ${property}: ${detail}\n`)
  }
}
