import MiniSearch from 'minisearch'
import { CATALOGUE, findGood } from '../catalogue/catalogue.ts'
import { department } from '../catalogue/departments.ts'
import type { Good } from '../catalogue/good.ts'

export const MAX_RESULTS = 96

const index = new MiniSearch<Good>({
  fields: ['name', 'department', 'themes', 'blurb'],
  extractField: (good, field) => {
    if (field === 'department') return department(good.department)?.name ?? ''
    if (field === 'themes') return good.themes.join(' ')
    return String(good[field as keyof Good])
  },
  searchOptions: {
    boost: { name: 4, department: 1.5 },
    prefix: true,
    fuzzy: (term) => (term.length > 4 ? 0.2 : false),
    combineWith: 'AND',
  },
})
index.addAll(CATALOGUE)

/** Goods that match every word, best first; the last word may be unfinished, and small slips are forgiven. */
export function searchGoods(query: string): Good[] {
  const found = index.search(query.slice(0, 100))
  return found.slice(0, MAX_RESULTS).flatMap(({ id }) => findGood(String(id)) ?? [])
}
