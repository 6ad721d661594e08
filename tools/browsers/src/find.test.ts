import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { findBrowser } from './find.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'attune-browsers-'))
  for (const name of ['a', 'b']) mkdirSync(join(folder, name))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function program(...path: string[]): string {
  const file = join(folder, ...path)
  writeFileSync(file, '')
  chmodSync(file, 0o755)
  return file
}

const PATH = (): string => [join(folder, 'a'), join(folder, 'b')].join(delimiter)

test('the first usual name on PATH, unless a variable names another', () => {
  const firefox = program('b', 'firefox-esr')
  const other = program('a', 'nightly')
  expect(findBrowser('firefox', { PATH: PATH() })).toBe(firefox)
  expect(findBrowser('firefox', { PATH: PATH(), ATTUNE_FIREFOX: other })).toBe(other)
})

test('what may not be executed is none', () => {
  chmodSync(program('a', 'WebKitWebDriver'), 0o644)
  expect(findBrowser('webkit', { PATH: PATH() })).toBeUndefined()
})

test('a missing browser is a failure in CI, and so is one that is named and not there', () => {
  expect(() => findBrowser('webkit', { PATH: PATH(), CI: 'true' })).toThrow('ATTUNE_WEBKIT')
  const gone = join(folder, 'gone')
  program('a', 'firefox')
  expect(() => findBrowser('firefox', { PATH: PATH(), CI: 'true', ATTUNE_FIREFOX: gone })).toThrow(
    'ATTUNE_FIREFOX',
  )
})
