/** What the browser knows of a good. */
export interface GoodFacts {
  readonly id: string
  readonly name: string
  readonly price: string
  readonly cents: number
  readonly hue: string
}

const known = new Map<string, GoodFacts>()

/** Facts by id; goods the shop does not have are left out. */
export async function factsOf(ids: readonly string[]): Promise<ReadonlyMap<string, GoodFacts>> {
  const missing = [...new Set(ids)].filter((id) => !known.has(id))
  if (missing.length > 0) {
    const response = await fetch(`/goods.json?ids=${missing.map(encodeURIComponent).join(',')}`)
    if (response.ok) {
      for (const [id, facts] of Object.entries((await response.json()) as Record<string, GoodFacts>))
        known.set(id, facts)
    }
  }
  return new Map(
    ids.flatMap((id) => {
      const facts = known.get(id)
      return facts === undefined ? [] : [[id, facts] as const]
    }),
  )
}
