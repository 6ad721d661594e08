import fc from 'fast-check'
import { expect, test } from 'vitest'
import { seededRandom } from '../testing/random.ts'
import { arrange, type Candidates } from './arrange.ts'
import { explore } from './explore.ts'
import { parseRules, RulesError } from './rules.ts'

test('rules with every field are what was written', () => {
  const rules = {
    strategy: 'similar',
    filter: { attr: 'price', lt: 50 },
    boosts: [{ when: { attr: 'sale', eq: true }, add: 0.5 }],
    pins: [{ item: 'sku-1', position: 0 }],
    exclude: ['sku-2'],
    maxPer: [{ attr: 'category', k: 3 }],
    minStock: 1,
    diversity: { lambda: 0.7 },
    explore: { epsilon: 0.05 },
    fill: false,
  }
  expect(parseRules(rules)).toEqual(rules)
  expect(parseRules({ explore: { temperature: 0.5 } })).toEqual({ explore: { temperature: 0.5 } })
  expect(parseRules({})).toEqual({})
})

test('every mistake is told at once, each with its path', () => {
  const wrong = {
    strategi: 'similar',
    strategy: 'best',
    filter: { all: [{ attr: 'price', lt: 'x' }] },
    boosts: [{ when: { attr: 'sale', eq: true } }, { when: { attr: 'sale', eq: true }, add: 1e9 }],
    pins: [
      { item: 'a', position: 0 },
      { item: 'a', position: 1.5 },
      { item: 'a', position: 2 },
    ],
    exclude: [''],
    maxPer: [{ attr: 'category', k: 0 }],
    minStock: -1,
    diversity: { lambda: 2 },
    explore: { epsilon: 2 },
    fill: 'no',
  }
  const error = thrown(() => parseRules(wrong, 'rules'))
  expect(error).toMatchObject({ code: 'RULES_INVALID' })
  expect((error as RulesError).issues.map((issue) => issue.path)).toEqual([
    'rules.strategi',
    'rules.strategy',
    'rules.filter.all[0].lt',
    'rules.boosts[0].add',
    'rules.boosts[1].add',
    'rules.pins[1].position',
    'rules.exclude[0]',
    'rules.maxPer[0].k',
    'rules.minStock',
    'rules.diversity.lambda',
    'rules.explore.epsilon',
    'rules.fill',
  ])
  expect(thrown(() => parseRules({ pins: [wrong.pins[0], wrong.pins[2]] }))).toMatchObject({
    issues: [{ path: 'rules.pins[1].item' }],
  })
})

test('whatever is given, rules come out or a RulesError with issues', () => {
  const field = fc.constantFrom('filter', 'boosts', 'pins', 'maxPer', 'explore', '__proto__', 'constructor')
  fc.assert(
    fc.property(fc.oneof(fc.anything(), fc.dictionary(field, fc.anything())), (input) => {
      const error = thrown(() => parseRules(input))
      if (error === undefined) return
      expect(error).toBeInstanceOf(RulesError)
      expect((error as RulesError).issues.length).toBeGreaterThan(0)
    }),
    { numRuns: 1_000 },
  )
  expect(thrown(() => parseRules(JSON.parse('{"__proto__":{"minStock":3}}')))).toBeInstanceOf(RulesError)
})

const goods = (scores: number[], categories: (string | undefined)[], likeness = 0): Candidates => ({
  scores,
  attributesOf: (place) => {
    const category = categories[place]
    return category === undefined ? undefined : { category }
  },
  similarity: (one, other) => (categories[one] === categories[other] ? 1 : likeness),
})

test('at most 2 hats among the first 4: the third gives way, what has no category does not', () => {
  const shelf = goods([9, 8, 7, 6, 5], ['hats', 'hats', 'hats', undefined, 'socks'])
  expect(arrange(shelf, { maxPer: [{ attr: 'category', k: 2 }] }, 4)).toEqual([0, 1, 3, 4])
})

test('diversity, worked by hand: with λ = 0.5 the sock at half the score goes before the second hat', () => {
  // Scores from 0 to 1: hats 1 and 0.75, sock 0.5, hat 0. After the first hat: 0.5 · 0.75 − 0.5 · 1 = −0.125 for the
  // second one, 0.5 · 0.5 − 0.5 · 0 = 0.25 for the sock, 0 − 0.5 for the last hat.
  const shelf = goods([4, 3, 2, 0], ['hats', 'hats', 'socks', 'hats'])
  expect(arrange(shelf, { diversity: { lambda: 0.5 } }, 4)).toEqual([0, 2, 1, 3])
  expect(arrange(shelf, { diversity: { lambda: 1 } }, 4)).toEqual([0, 1, 2, 3])
})

test('an arrangement repeats nothing, keeps every limit, and leaves out only what a limit is against', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ score: fc.integer(), category: fc.constantFrom('a', 'b', 'c', undefined) }), {
        maxLength: 30,
      }),
      fc.nat(30),
      fc.integer({ min: 1, max: 4 }),
      fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined }),
      (items, size, k, lambda) => {
        const shelf = goods(
          items.map(({ score }) => score),
          items.map(({ category }) => category),
        )
        const rules = {
          maxPer: [{ attr: 'category', k }],
          ...(lambda !== undefined && { diversity: { lambda } }),
        }
        const chosen = arrange(shelf, rules, size)
        expect(new Set(chosen).size).toBe(chosen.length)
        const count = (category: string | undefined, places: number[]) =>
          places.filter((place) => items[place]?.category === category).length
        const all = items.map((_, place) => place)
        const possible = (['a', 'b', 'c'] as const).reduce(
          (sum, category) => sum + Math.min(k, count(category, all)),
          count(undefined, all),
        )
        for (const category of ['a', 'b', 'c']) expect(count(category, chosen)).toBeLessThanOrEqual(k)
        expect(chosen.length).toBe(Math.min(size, possible))
      },
    ),
  )
})

test('propensities of ε = 0.3 over 3 items, worked by hand', () => {
  // 0.3/3 + 0.7 = 0.8 for the best, then 0.3/2 = 0.15 for the second of two, then 1 for the one left.
  const draws = [0.5, 0.9, 0.5]
  const { order, propensities } = explore([3, 2, 1], 3, { epsilon: 0.3 }, () => draws.shift() ?? 0)
  expect(order).toEqual([0, 2, 1])
  propensities.forEach((value, at) => expect(value).toBeCloseTo([0.8, 0.15, 1][at] ?? Number.NaN, 12))
  expect(explore([3, 2, 1], 2, { epsilon: 0 }, () => 0.999)).toEqual({ order: [0, 1], propensities: [1, 1] })
})

test('propensities at temperature 1 with scores log 3, log 2 and log 1: 3/6, then 2/3, then 1', () => {
  const scores = [3, 2, 1].map(Math.log)
  const { order, propensities } = explore(scores, 3, { temperature: 1 }, () => 0)
  expect(order).toEqual([0, 1, 2])
  propensities.forEach((value, at) => expect(value).toBeCloseTo([1 / 2, 2 / 3, 1][at] ?? Number.NaN, 12))
})

test.each([{ epsilon: 0.4 }, { temperature: 0.8 }])(
  'lists drawn 40,000 times with %o come as often as their propensities say',
  (policy) => {
    const random = seededRandom(4)
    const scores = [1.2, 0.9, 0.1, -0.5]
    const seen = new Map<string, { count: number; probability: number }>()
    const runs = 40_000
    for (let run = 0; run < runs; run++) {
      const { order, propensities } = explore(scores, 2, policy, random)
      const list = seen.get(order.join()) ?? { count: 0, probability: propensities.reduce((a, b) => a * b) }
      list.count++
      seen.set(order.join(), list)
    }
    let total = 0
    for (const { count, probability } of seen.values()) {
      total += probability
      // Five standard deviations of a binomial share.
      expect(Math.abs(count / runs - probability)).toBeLessThan(
        5 * Math.sqrt((probability * (1 - probability)) / runs),
      )
    }
    expect(seen.size).toBe(12)
    expect(total).toBeCloseTo(1, 10)
  },
)

function thrown(work: () => unknown): unknown {
  try {
    work()
  } catch (error) {
    return error
  }
  return undefined
}
