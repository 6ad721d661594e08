import { expect, test } from 'vitest'
import { readOptions } from './options.ts'

test('options win over the environment, which wins over the defaults', () => {
  expect(readOptions([], {})).toMatchObject({ portBase: 7_300, data: '.attune', reset: false })
  expect(readOptions([], { ATTUNE_PORT_BASE: '8000', ATTUNE_DATA: '/d' })).toMatchObject({
    portBase: 8_000,
    data: '/d',
  })
  expect(readOptions(['--port-base', '9000'], { ATTUNE_PORT_BASE: '8000' }).portBase).toBe(9_000)
})

test('a port that is none names the option, the range and what was received', () => {
  expect(() => readOptions(['--port-base', '80'], {})).toThrow(
    '--port-base: expected a whole number from 1024 to 65000, received "80"',
  )
  expect(() => readOptions(['--port-base', 'x'], {})).toThrow('received "x"')
})
