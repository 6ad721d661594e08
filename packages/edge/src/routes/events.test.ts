import { buildEvent, seededRandom } from '@attune/core/testing'
import { expect, test } from 'vitest'
import { newestOpinion } from './events.ts'

const random = seededRandom(1)

test('a batch is as new as its newest step or dislike; impressions and searches do not count', () => {
  const impression = buildEvent(random, { kind: 'impression', at: 9_000 })
  const search = buildEvent(random, { kind: 'search', at: 8_000, query: 'shoes' })
  const click = buildEvent(random, { at: 5_000 })
  const dislike = buildEvent(random, { kind: 'dislike', at: 6_000 })
  expect(newestOpinion([click, impression, search])).toBe(5_000)
  expect(newestOpinion([dislike, click])).toBe(6_000)
  expect(newestOpinion([impression, search])).toBe(0)
})
