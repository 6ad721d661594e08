import { expect, test } from 'vitest'
import { seededRandom } from './testing/random.ts'
import { isUuid, uuidv7 } from './uuid.ts'

test('the time of RFC 9562, appendix A.6 (0x017F22E279B0) leads the id', () => {
  const id = uuidv7(0x017f22e279b0, seededRandom(1))
  expect(id.slice(0, 15)).toBe('017f22e2-79b0-7')
  expect(isUuid(id)).toBe(true)
})

test('10,000 ids of one millisecond differ', () => {
  const random = seededRandom(2)
  expect(new Set(Array.from({ length: 10_000 }, () => uuidv7(5, random))).size).toBe(10_000)
})

test('ids of later milliseconds sort later', () => {
  const random = seededRandom(3)
  const ids = [1, 255, 256, 65_536, 2 ** 40].map((now) => uuidv7(now, random))
  expect([...ids].sort()).toEqual(ids)
})
