import fc from 'fast-check'
import { expect, test } from 'vitest'
import { oldestVisits, type TrainingData } from '../train/data.ts'
import { ringVisits } from '../train/testing/small-model.ts'
import { heldOutOf, markOf, unseenBy, visitsSeen } from './held-out.ts'

const log = ringVisits(50, 1_000, 3)
const count = ({ offsets }: TrainingData) => offsets.length - 1
/** What an epoch trained on the oldest visits says of itself. */
const trainedOn = (visits: number) => ({ newest: markOf(oldestVisits(log, visits)) })

test('a log that has grown is found again where it was, whatever rows its items have now', () => {
  fc.assert(
    fc.property(fc.integer({ min: 10, max: 1_000 }), (visits) => {
      expect(visitsSeen(log, trainedOn(visits))).toBe(visits)
    }),
    { numRuns: 30 },
  )
  expect(visitsSeen(ringVisits(50, 1_000, 4), trainedOn(500))).toBe(0)
  expect(visitsSeen(log, undefined)).toBe(0)
})

test('of 1,000 visits the newest 2 % are held out; of 1,000 with 15 new ones no fewer, and the report will say so', () => {
  const fresh = heldOutOf(log, trainedOn(900))
  expect([count(fresh.visits), fresh.seen]).toEqual([20, false])
  const few = heldOutOf(log, trainedOn(985))
  expect([count(few.visits), few.seen]).toEqual([20, true])
  // A tenth asked for, 50 new: those.
  const tenth = heldOutOf(log, trainedOn(950), 0.1)
  expect([count(tenth.visits), tenth.seen]).toEqual([50, false])
  expect(tenth.visits.rows).toEqual(log.rows.subarray(log.offsets[950]))
})

test('a trained epoch is compared on visits after its own, and refused where there are none', () => {
  const { visits, seen } = unseenBy(log, trainedOn(970), trainedOn(900), 0.1)
  expect([count(visits), seen]).toEqual([30, false])
  expect(() => unseenBy(log, trainedOn(990), trainedOn(900))).toThrow(/received 10/)
})
