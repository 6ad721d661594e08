import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { cli } from '../testing/cli.ts'
import { COMMANDS } from './run.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attune-json-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Arguments that are complete, and name what is not there or nobody answers. */
const COMPLETE: Readonly<Record<string, (nowhere: string) => string[]>> = {
  import: (nowhere) => ['--file', nowhere, '--out', nowhere],
  train: (nowhere) => ['--data', nowhere, '--out', nowhere],
  evaluate: (nowhere) => ['--artifact', nowhere, '--data', nowhere],
  push: (nowhere) => ['--artifact', nowhere, '--bridge', nowhere],
  models: () => ['--edge', 'http://127.0.0.1:9', '--push-key', 'key'],
  rollback: (nowhere) => ['--bridge', nowhere],
  replay: (nowhere) => ['--data', nowhere, '--edge', 'http://127.0.0.1:9', '--site-key', 'key'],
  keys: (nowhere) => ['public', '--key', nowhere],
  doctor: () => [],
}

test.each(Object.keys(COMMANDS))(
  'attune %s --json prints one JSON object, whether it works, fails or is asked for help',
  async (name) => {
    const nowhere = join(folder, 'nowhere')
    const complete = COMPLETE[name]?.(nowhere) ?? [
      '--events-per-day',
      '1000',
      '--ranks-per-day',
      '1000',
      '--items',
      '10',
    ]
    for (const [argv, allowed] of [
      [['--help'], [0]],
      [['--surely-no-option'], [2]],
      [complete, name === 'plan' ? [0] : [1]],
    ] as [string[], number[]][]) {
      const { code, out } = await cli([name, ...argv, '--json'])
      expect(allowed, `${name} ${argv.join(' ')}: ${out}`).toContain(code)
      expect(out.trim().split('\n')).toHaveLength(1)
      const said = JSON.parse(out) as {
        error?: { code: string; message: string; issues: unknown[] }
      }
      if (code === 0) expect(said.error).toBeUndefined()
      else {
        expect(said.error?.code).toMatch(/^[A-Z][A-Z_]+$/)
        expect(said.error?.message.length).toBeGreaterThan(10)
        expect(Array.isArray(said.error?.issues)).toBe(true)
      }
    }
  },
)

test.each(Object.keys(COMMANDS))('attune %s --help names every option it takes', async (name) => {
  const text = (await cli([name, '--help'])).out
  for (const option of Object.keys(COMMANDS[name]?.options ?? {})) expect(text).toContain(`--${option}`)
  expect(text).toContain(`attune ${name}`)
  expect(text).toContain('--json')
})

test('without a command, with one it does not know and with --help it answers in JSON, too', async () => {
  const { out, code } = await cli(['--json'])
  const { commands } = JSON.parse(out) as { commands: { command: string }[] }
  expect([code, commands.map(({ command }) => command)]).toEqual([0, Object.keys(COMMANDS)])
  const unknown = await cli(['tarin', '--json'])
  expect([unknown.code, unknown.json()]).toMatchObject([2, { error: { code: 'USAGE' } }])
  expect((await cli(['--json', 'plan', '--help'])).out).toContain('"command":"plan"')
})
