import { expect, test } from 'vitest'
import { logFrom, type LogLevel } from './log.ts'

test('what is below the level is left out', () => {
  const lines: string[] = []
  const log = logFrom('warn', (level, message, fields) => lines.push(`${level} ${message} ${fields?.['n']}`))
  for (const level of ['debug', 'info', 'warn', 'error'] satisfies LogLevel[]) log(level, 'said', { n: 1 })
  expect(lines).toEqual(['warn said 1', 'error said 1'])
})
