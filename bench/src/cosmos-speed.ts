import { runProgram } from './_cosmos-program.ts'

/** The local Cosmos, durable, beside `@vercel/cosmosdb-server`, in memory: `npm run bench -- cosmos-speed --json`. */
export async function run(args: string[]): Promise<Record<string, unknown>> {
  const result = await runProgram('tools/cosmos-local/conformance/speed/run.ts', args)
  return { bench: 'cosmos-speed', ...result }
}
