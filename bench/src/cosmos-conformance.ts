import { runProgram } from './_cosmos-program.ts'

/**
 * The local Cosmos against Microsoft's JavaScript, Python and Java clients and PySpark:
 * `npm run bench -- cosmos-conformance --json`, or only some: `cosmos-conformance js python`.
 */
export async function run(args: string[]): Promise<Record<string, unknown>> {
  const suites = args.filter((arg) => !arg.startsWith('-'))
  const result = await runProgram('tools/cosmos-local/conformance/run.ts', suites)
  return { bench: 'cosmos-conformance', ...result }
}
