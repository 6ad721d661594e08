// `npm run check`: the fast, offline inner loop: format, lint, types, unit tests, API snapshot, docs.
import { availableParallelism } from 'node:os'
import { checkApi } from './api-snapshot.ts'
import { checkDocs } from './check-docs.ts'
import { step, type StepResult } from './run.ts'

/** By content: a fresh checkout has other times. */
const PRETTIER_CACHE = ['--cache', '--cache-strategy=content', '--cache-location=.cache/prettier']

/** What needs no browser, no workerd, no Cosmos, no network and no minutes; `npm test` has the rest (`*.slow.test.ts` and others). */
export async function check({ unit }: { unit: boolean }): Promise<StepResult[]> {
  const results = [
    await step('format', ['prettier', '--check', '--log-level=warn', ...PRETTIER_CACHE, '.'], {
      quiet: true,
    }),
    await step('lint', ['oxlint', '--deny-warnings'], { quiet: true }),
    await step('types', ['tsc', '-b'], { quiet: true }),
  ]
  if (unit) {
    const excluded = ['web', 'workerd', 'cosmos', 'slow'].flatMap((kind) => [
      '--exclude',
      `**/*.${kind}.test.ts`,
    ])
    // All cores: without browsers nothing here depends on being quick.
    const workers = `--maxWorkers=${availableParallelism()}`
    results.push(
      await step('unit', ['vitest', 'run', '--reporter=dot', workers, ...excluded], { quiet: true }),
    )
  }
  return [...results, await checkApi(), await checkDocs()]
}

if (import.meta.main || process.argv[1]?.endsWith('check.ts')) {
  const results = await check({ unit: true })
  const failed = results.filter((result) => !result.ok).length
  console.log(`${results.length - failed} passed, ${failed} failed`)
  process.exitCode = failed === 0 ? 0 : 1
}
