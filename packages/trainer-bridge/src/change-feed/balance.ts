/** A lease as the balance sees it. */
export interface Shared {
  readonly id: string
  /** Undefined: nobody, or somebody who has not renewed it in time. */
  readonly owner: string | undefined
}

/** What one instance has to do for all to have their share. */
export interface Moves {
  readonly take: readonly string[]
  readonly release: readonly string[]
}

/**
 * Shares leases evenly: everybody knows by the same rule how many each is due, so nobody takes what another should have.
 * Who has the most keeps the odd ones, which moves the fewest. An instance above its share lets go by itself, in order,
 * after the batch in hand; nothing is taken from a living one.
 *
 * @param members - living instances, `me` among them
 * @param mine - leases this instance holds, as it knows itself
 */
export function balance(
  leases: readonly Shared[],
  members: ReadonlySet<string>,
  me: string,
  mine: ReadonlySet<string>,
): Moves {
  const counts = new Map([...members].map((member) => [member, 0]))
  const free: string[] = []
  for (const { id, owner } of leases) {
    const holder = mine.has(id) ? me : owner === me ? undefined : owner
    if (holder === undefined) free.push(id)
    else counts.set(holder, (counts.get(holder) ?? 0) + 1)
  }
  const ordered = [...counts].sort(([a, x], [b, y]) => y - x || (a < b ? -1 : 1)).map(([member]) => member)
  const floor = Math.floor(leases.length / ordered.length)
  const odd = leases.length - floor * ordered.length
  const due = floor + (ordered.indexOf(me) < odd ? 1 : 0)
  const own = [...mine].sort()
  return { take: free.sort().slice(0, Math.max(0, due - own.length)), release: own.slice(due) }
}
