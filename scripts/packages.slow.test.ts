import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { build } from './build.ts'
import { ROOT } from './run.ts'

const run = promisify(execFile)
const NAMES = ['core', 'client', 'edge', 'trainer-bridge'] as const
/** We publish ES modules alone, for Node 22 and bundlers: how CommonJS and older resolution see them does not count. */
const IGNORED_RESOLUTIONS = ['node10', 'node16-cjs']

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attune-packages-'))
  if (!existsSync(join(ROOT, 'packages/client/dist/index.js'))) await build()
}, 300_000)
afterAll(() => rm(folder, { recursive: true, force: true }))

/** The package as it would be published. */
async function pack(directory: string): Promise<Uint8Array<ArrayBuffer>> {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder]
  const { stdout } = await run('npm', args, { cwd: directory })
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }]
  return Uint8Array.from(await readFile(join(folder, filename)))
}

/** What publint and arethetypeswrong have to say. */
async function problems(tarball: Uint8Array<ArrayBuffer>): Promise<string[]> {
  const { messages, pkg } = await publint({ pack: { tarball: tarball.buffer }, strict: true })
  const analysis = await checkPackage(createPackageFromTarballData(tarball), {
    // A WebAssembly module has no types.
    excludeEntrypoints: [/\.wasm$/],
  })
  const types = analysis.types
    ? analysis.problems.filter(
        (problem) => !('resolutionKind' in problem && IGNORED_RESOLUTIONS.includes(problem.resolutionKind)),
      )
    : [{ kind: 'NoTypes' }]
  return [
    ...messages.map((message) => `publint: ${formatMessage(message, pkg, { color: false })}`),
    ...types.map((problem) => `arethetypeswrong: ${JSON.stringify(problem)}`),
  ]
}

test.each(NAMES)(
  'publint and arethetypeswrong find nothing wrong with %s as it would be published',
  async (name) => {
    expect(await problems(await pack(join(ROOT, 'packages', name)))).toEqual([])
  },
)

test('and both see a planted mistake: an export without its file, types that are not those of the module', async () => {
  const copy = join(folder, 'planted')
  await cp(join(ROOT, 'packages/client'), copy, {
    recursive: true,
    filter: (source) => !source.includes('node_modules'),
  })
  const manifest = JSON.parse(await readFile(join(copy, 'package.json'), 'utf8')) as {
    exports: Record<string, object>
  }
  Object.assign(manifest.exports, { './gone': { types: './dist/gone.d.ts', default: './dist/gone.js' } })
  Object.assign(manifest.exports['./react'] ?? {}, { types: './dist/react.d.cts' })
  await writeFile(join(copy, 'package.json'), JSON.stringify(manifest))
  await writeFile(join(copy, 'dist/react.d.cts'), 'export {}\n')
  const found = (await problems(await pack(copy))).join('\n')
  expect(found).toMatch(/publint: .*gone\.js.*does not exist/)
  expect(found).toMatch(/arethetypeswrong: .*FalseCJS/)
})
