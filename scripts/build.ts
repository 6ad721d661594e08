// `npm run build`: what is published: dist/ of every package, and the script-tag client.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT, step, type StepResult } from './run.ts'

/** Types and modules by the compiler, then each package's own `build`. */
export async function build(): Promise<StepResult[]> {
  const results = [await step('compile', ['tsc', '-b'], { quiet: true })]
  for (const group of ['packages', 'tools', 'examples']) {
    for (const name of readdirSync(join(ROOT, group))) {
      const manifest = join(ROOT, group, name, 'package.json')
      if (!existsSync(manifest)) continue
      const { scripts } = JSON.parse(readFileSync(manifest, 'utf8')) as { scripts?: Record<string, string> }
      const script = scripts?.['build']
      if (script === undefined) continue
      results.push(
        await step(
          `build ${group}/${name}`,
          ['sh', '-c', `cd ${group}/${name} && PATH="$PWD/node_modules/.bin:$PATH" && ${script}`],
          { quiet: true },
        ),
      )
    }
  }
  return results
}

if (process.argv[1]?.endsWith('build.ts')) {
  const results = await build()
  process.exitCode = results.every((result) => result.ok) ? 0 : 1
}
