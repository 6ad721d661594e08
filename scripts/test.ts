// `npm test`: everything: the checks, then every test in Node, browsers, workerd, against the local Cosmos, and Python.
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from './build.ts'
import { check } from './check.ts'
import { ROOT, step } from './run.ts'

interface VitestReport {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numTotalTests: number
  readonly testResults: readonly {
    readonly name: string
    readonly status: string
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[]
  }[]
}

const filters = process.argv.slice(2)
const checks = filters.length > 0 ? [] : [...(await check({ unit: false })), ...(await build())]
const report = join(ROOT, '.cache', 'test-report.json')
await mkdir(join(ROOT, '.cache'), { recursive: true })
const run = await step('tests', [
  'vitest',
  'run',
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${report}`,
  ...filters,
])
const tests = await readReport()
const skipped =
  tests?.testResults.flatMap((file) =>
    file.assertionResults
      .filter((test) => test.status !== 'passed' && test.status !== 'failed')
      .map((test) => test.fullName),
  ) ?? []
const brokenFiles =
  tests?.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0) ?? []
for (const file of brokenFiles) console.log(`FAILED  ${file.name} did not load`)
for (const name of skipped) console.log(`skipped ${name}`)

const passed = checks.filter((result) => result.ok).length + (tests?.numPassedTests ?? 0)
let failed = checks.filter((result) => !result.ok).length + (tests?.numFailedTests ?? 0) + brokenFiles.length
// A run that failed without a failed test (an unhandled error, no tests at all) is a failure all the same.
if (failed === 0 && (!run.ok || tests === undefined || tests.numTotalTests === 0)) failed = 1
// In CI nothing may be missing: a skipped test is a missing browser, interpreter or data set that CI should have.
const missing = process.env['CI'] ? skipped.filter((name) => !name.includes('needs ../shared')).length : 0
if (missing > 0) console.log(`FAILED  ${missing} tests were skipped in CI`)
failed += missing
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1

async function readReport(): Promise<VitestReport | undefined> {
  try {
    return JSON.parse(await readFile(report, 'utf8')) as VitestReport
  } catch {
    return undefined
  }
}
