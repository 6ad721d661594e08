import { checks } from './js/checks.ts'
import { makeWorld } from './js/world.ts'
import { runJava, runPython, runSpark } from './others.ts'

/** What one suite found. */
export interface SuiteResult {
  readonly pass: number
  readonly fail: number
  readonly failures?: readonly string[]
}

const CHECK_TIMEOUT_MS = 30_000

async function runJs(): Promise<SuiteResult> {
  const world = await makeWorld()
  const failures: string[] = []
  for (const check of checks) {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer in ${CHECK_TIMEOUT_MS} ms`)), CHECK_TIMEOUT_MS)
    })
    try {
      await Promise.race([check.run(world), late])
    } catch (error) {
      failures.push(`${check.name}: ${error instanceof Error ? error.message : String(error)}`)
    } finally {
      clearTimeout(timer)
    }
  }
  await world.close()
  return result(checks.length, failures)
}

export function result(total: number, failures: readonly string[]): SuiteResult {
  for (const failure of failures) process.stderr.write(`FAIL ${failure}\n`)
  return { pass: total - failures.length, fail: failures.length, ...(failures.length > 0 && { failures }) }
}

const SUITES: Readonly<Record<string, () => Promise<SuiteResult>>> = {
  js: runJs,
  python: runPython,
  java: runJava,
  spark: runSpark,
}

/** `node conformance/run.ts [js] [python] [java] [spark]`: all without a name; the result as JSON, last line. */
async function main(): Promise<void> {
  const asked = process.argv.slice(2).filter((name) => name in SUITES)
  const results: Record<string, SuiteResult> = {}
  for (const name of asked.length > 0 ? asked : Object.keys(SUITES)) {
    process.stderr.write(`${name}: running\n`)
    const suite = SUITES[name]
    if (suite === undefined) continue
    results[name] = await suite()
    process.stderr.write(`${name}: ${results[name].pass} passed, ${results[name].fail} failed\n`)
  }
  process.stdout.write(`${JSON.stringify(results)}\n`)
}

await main()
