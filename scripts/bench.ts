// `npm run bench -- NAME [options] [--json]`: one benchmark; with --json its result is the last line, one JSON object.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './run.ts'

interface Bench {
  readonly run: (args: string[]) => Promise<Record<string, unknown>>
}

const folder = join(ROOT, 'bench', 'src')
const names = readdirSync(folder)
  .filter((file) => file.endsWith('.ts') && !file.includes('.test.') && !file.startsWith('_'))
  .map((file) => file.slice(0, -3))
const [name, ...args] = process.argv.slice(2).filter((argument) => argument !== '--json')

if (name === undefined || !names.includes(name)) {
  console.error(`npm run bench -- NAME [options] [--json]\n\nbenchmarks: ${names.join(', ')}`)
  if (name !== undefined) console.error(`\n"${name}" is none of them`)
  process.exit(name === undefined ? 0 : 2)
}
const { run } = (await import(join(folder, `${name}.ts`))) as Bench
try {
  const result = await run(args)
  if (process.argv.includes('--json')) console.log(JSON.stringify(result))
  else console.log(JSON.stringify(result, undefined, 2))
  process.exit(0)
} catch (error) {
  console.error(error)
  process.exit(1)
}
