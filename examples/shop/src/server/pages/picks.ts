import { CATALOGUE } from '../../catalogue/catalogue.ts'
import type { Good } from '../../catalogue/good.ts'
import { LIST_LENGTH } from '../site.ts'

/** Goods for a list nobody has ranked: spread over the shop, the same every time. */
export function windowDressing(shift: number): Good[] {
  const step = Math.floor(CATALOGUE.length / LIST_LENGTH)
  return Array.from(
    { length: LIST_LENGTH },
    (_, place) => CATALOGUE[(place * step + 31 + 7 * shift) % CATALOGUE.length],
  ).flatMap((good) => good ?? [])
}

/** Goods of the same department and liking as this one, nearest first. */
export function neighboursOf(good: Good): Good[] {
  const shared = (other: Good): number =>
    other.themes.filter((theme) => good.themes.includes(theme)).length +
    (other.department === good.department ? 0.5 : 0)
  return CATALOGUE.filter((other) => other.family !== good.family)
    .map((other) => ({ other, common: shared(other) }))
    .sort((a, b) => b.common - a.common)
    .slice(0, LIST_LENGTH)
    .map(({ other }) => other)
}
