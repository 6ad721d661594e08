import type { Good } from '../catalogue/good.ts'

/** Goods that go with a good: rows of the catalogue and how strongly, strongest first. */
export interface Kin {
  readonly rows: Uint16Array
  readonly weights: Float32Array
}

const KEPT = 64

/** How much sharing a theme says: "kids" is on every sixth good, "falconry" would be a bond. */
export function themeWeights(goods: readonly Good[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>()
  for (const { themes } of goods) for (const theme of themes) counts.set(theme, (counts.get(theme) ?? 0) + 1)
  return new Map([...counts].map(([theme, count]) => [theme, 3 / Math.sqrt(count)]))
}

/**
 * What goes with what: shared themes, weighted by how rare they are, the same department, the same drawing, a price of the
 * same order.
 */
export function kinOf(goods: readonly Good[]): Kin[] {
  const rare = themeWeights(goods)
  return goods.map((good) => {
    const near = goods.map((other, row) => {
      if (other === good) return { row, weight: 0 }
      let weight = 0
      for (const theme of good.themes) if (other.themes.includes(theme)) weight += rare.get(theme) ?? 0
      if (other.department === good.department) weight += 0.5
      if (other.picture.icon === good.picture.icon) weight += 0.5
      // A second colour of the same thing is looked at now and then, not for a whole visit.
      if (other.family === good.family && other.department !== 'studio') weight *= 0.6
      const distance = Math.abs(Math.log(other.price / good.price))
      return { row, weight: weight ** 1.6 * Math.exp(-distance / 4) }
    })
    near.sort((a, b) => b.weight - a.weight)
    const kept = near.slice(0, KEPT).filter(({ weight }) => weight > 0)
    return {
      rows: Uint16Array.from(kept, ({ row }) => row),
      weights: Float32Array.from(kept, ({ weight }) => weight),
    }
  })
}
