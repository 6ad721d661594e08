import { execFile } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ROOT } from './run.ts'

const run = promisify(execFile)
const folders = ['core', 'client', 'edge', 'trainer-bridge'] as const
const probe = (name: string) => join(ROOT, 'packages', name, 'dist', 'probe')

/** Compiles one line of source under a package's own settings and gives back what the compiler says. */
async function compile(name: (typeof folders)[number], source: string): Promise<string> {
  mkdirSync(probe(name), { recursive: true })
  writeFileSync(join(probe(name), 'probe.ts'), `${source}\n`)
  writeFileSync(
    join(probe(name), 'tsconfig.json'),
    JSON.stringify({
      extends: '../../tsconfig.json',
      compilerOptions: {
        composite: false,
        declarationMap: false,
        isolatedDeclarations: false,
        emitDeclarationOnly: false,
        noEmit: true,
        rootDir: '../../../..',
      },
      include: ['probe.ts'],
      exclude: [],
      references: [],
    }),
  )
  try {
    await run(join(ROOT, 'node_modules', '.bin', 'tsc'), ['-p', probe(name)])
    return ''
  } catch (error) {
    return String((error as { stdout?: string }).stdout)
  }
}

const clean = () => folders.forEach((name) => rmSync(probe(name), { recursive: true, force: true }))
beforeEach(clean)
afterEach(clean)

test.each([
  ['core', `export const title: string = document.title`, 'document'],
  [
    'core',
    `import { readFileSync } from 'node:fs'\nexport const read: typeof readFileSync = readFileSync`,
    'node:fs',
  ],
  ['client', `export * from '@attune/edge'`, '@attune/edge'],
  ['edge', `export * from '@attune/client'`, '@attune/client'],
  ['edge', `export * from '@attune/trainer-bridge'`, '@attune/trainer-bridge'],
  ['trainer-bridge', `export * from '@attune/edge'`, '@attune/edge'],
  ['client', `export * from '@attune/core/event/parse'`, '@attune/core/event/parse'],
  ['trainer-bridge', `export const title: string = document.title`, 'document'],
] as const)('the compiler refuses in %s: %s', async (name, source, about) => {
  expect(await compile(name, source)).toContain(about)
})

test.each(['client', 'edge', 'trainer-bridge'] as const)('and accepts core in %s', async (name) => {
  expect(await compile(name, `export { isUuid } from '@attune/core'`)).toBe('')
})
