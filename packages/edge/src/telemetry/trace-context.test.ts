import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatTraceparent, parseTraceparent, randomHex } from './trace-context.ts'

// Examples and rules of https://www.w3.org/TR/trace-context/ (§3.2, §3.2.2.2, §3.2.2.3, §3.2.2.5).
const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const PARENT = '00f067aa0ba902b7'

test('the example of the recommendation is read, sampled or not', () => {
  expect(parseTraceparent(`00-${TRACE}-${PARENT}-01`)).toEqual({
    traceId: TRACE,
    parentId: PARENT,
    sampled: true,
  })
  expect(parseTraceparent(`00-${TRACE}-${PARENT}-00`)?.sampled).toBe(false)
  // Only the lowest bit is "sampled"; the others are reserved.
  expect(parseTraceparent(`00-${TRACE}-${PARENT}-fe`)?.sampled).toBe(false)
})

test('a later version is read by what version 00 defines, with anything behind it', () => {
  expect(parseTraceparent(`cc-${TRACE}-${PARENT}-01-what-the-future-will-be-like`)?.traceId).toBe(TRACE)
  expect(parseTraceparent(`cc-${TRACE}-${PARENT}-01.what`)).toBeUndefined()
})

test.each([
  ['nothing', undefined],
  ['version ff', `ff-${TRACE}-${PARENT}-01`],
  ['version 00 with more behind it', `00-${TRACE}-${PARENT}-01-more`],
  ['upper case', `00-${TRACE.toUpperCase()}-${PARENT}-01`],
  ['a trace id of zeros', `00-${'0'.repeat(32)}-${PARENT}-01`],
  ['a parent id of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
  ['a short trace id', `00-${TRACE.slice(1)}-${PARENT}-01`],
  ['two headers joined', `00-${TRACE}-${PARENT}-01, 00-${TRACE}-${PARENT}-01`],
])('%s starts a trace of its own', (_, header) => {
  expect(parseTraceparent(header)).toBeUndefined()
})

test('whatever is sent, nothing is thrown; what is formatted is read back', () => {
  fc.assert(
    fc.property(fc.string(), (header) => {
      const context = parseTraceparent(header)
      if (context !== undefined) expect(context.traceId).toMatch(/^[0-9a-f]{32}$/)
    }),
  )
  fc.assert(
    fc.property(fc.boolean(), (sampled) => {
      const [traceId, parentId] = [randomHex(16), randomHex(8)]
      expect(parseTraceparent(formatTraceparent(traceId, parentId, sampled))).toEqual({
        traceId,
        parentId,
        sampled,
      })
    }),
  )
})
