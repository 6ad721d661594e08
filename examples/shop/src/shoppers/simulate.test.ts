import { expect, test } from 'vitest'
import type { TrainingData } from '@attune/trainer-bridge'
import { CATALOGUE } from '../catalogue/catalogue.ts'
import { simulateShoppers } from './simulate.ts'

const simulate = (seed: number): TrainingData => simulateShoppers({ goods: CATALOGUE, shoppers: 600, seed })

test('the same seed makes the same visits, another seed others', () => {
  const [one, again, other] = [simulate(7), simulate(7), simulate(8)]
  expect(again).toEqual(one)
  expect(other.rows).not.toEqual(one.rows)
})

test('600 shoppers: visits in order of time, of 1 to 16 steps forward in time', () => {
  const { offsets, rows, times, kinds } = simulate(7)
  const visits = offsets.length - 1
  expect(visits).toBeGreaterThanOrEqual(600)
  expect(visits).toBeLessThanOrEqual(1_200)
  expect([rows.length, kinds?.length, times?.length]).toEqual([
    offsets[visits],
    offsets[visits],
    offsets[visits],
  ])
  let before = 0
  for (let visit = 0; visit < visits; visit++) {
    const [from = 0, to = 0] = [offsets[visit], offsets[visit + 1]]
    expect(to - from).toBeGreaterThanOrEqual(1)
    expect(to - from).toBeLessThanOrEqual(16)
    const of = Array.from(times?.subarray(from, to) ?? [])
    expect(of).toEqual([...of].sort((a, b) => a - b))
    expect(of[0] ?? 0).toBeGreaterThanOrEqual(before)
    before = of[0] ?? 0
  }
})

test('neighbouring clicks share a theme far more often than chance', () => {
  const { offsets, rows } = simulate(7)
  const share = (a: number, b: number): boolean => {
    const themes = CATALOGUE[a]?.themes ?? []
    return CATALOGUE[b]?.themes.some((theme) => themes.includes(theme)) ?? false
  }
  let [pairs, kindred, chance] = [0, 0, 0]
  for (let visit = 0; visit + 1 < offsets.length; visit++) {
    for (let at = (offsets[visit] ?? 0) + 1; at < (offsets[visit + 1] ?? 0); at++) {
      pairs++
      if (share(rows[at - 1] ?? 0, rows[at] ?? 0)) kindred++
      // A click of some other visit, far away.
      if (share(rows[at - 1] ?? 0, rows[(at + 997) % rows.length] ?? 0)) chance++
    }
  }
  expect(kindred / pairs).toBeGreaterThan(0.6)
  expect(chance / pairs).toBeLessThan(0.25)
})
