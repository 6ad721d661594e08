import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { ROOT, type StepResult } from './run.ts'

const PUBLISHED = [
  'packages/core',
  'packages/client',
  'packages/edge',
  'packages/trainer-bridge',
  'tools/cosmos-local',
]
const FOLDER = join(ROOT, 'docs', 'api')
const IMPORT = /(?:from|import\()\s*['"](\.[^'"]+)['"]/g

/**
 * Compares the built declarations of every public entry with `docs/api/`, so that a change of the API is a visible diff.
 * `node scripts/api-snapshot.ts --update` writes them.
 */
export async function checkApi(update: boolean = process.argv.includes('--update')): Promise<StepResult> {
  const changed: string[] = []
  for (const folder of PUBLISHED) {
    const { name, exports } = JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8')) as {
      name: string
      exports: Record<string, string | { types?: string }>
    }
    const file = join(FOLDER, `${name.replace('@attune/', '')}.d.ts.txt`)
    const text = declarations(folder, exports)
    if (existsSync(file) && readFileSync(file, 'utf8') === text) continue
    changed.push(relative(ROOT, file))
    if (!update) continue
    mkdirSync(FOLDER, { recursive: true })
    writeFileSync(file, text)
  }
  const known = new Set(PUBLISHED.map((folder) => `${folder.split('/')[1]}.d.ts.txt`))
  const strays = existsSync(FOLDER) ? readdirSync(FOLDER).filter((file) => !known.has(file)) : []
  const ok = update || (changed.length === 0 && strays.length === 0)
  if (!ok)
    console.log(
      `the public API differs from ${[...changed, ...strays].join(', ')}: look, then node scripts/api-snapshot.ts --update`,
    )
  console.log(`${ok ? 'passed' : 'FAILED'}  API snapshot`)
  return { name: 'API snapshot', ok, seconds: 0, output: changed.join('\n') }
}

/** Declarations reachable from the entries of a package, each file once, in a stable order. */
function declarations(folder: string, exports: Record<string, string | { types?: string }>): string {
  const seen = new Map<string, string>()
  const visit = (file: string): void => {
    if (seen.has(file) || !existsSync(file)) return
    const text = readFileSync(file, 'utf8').replaceAll(/^\/\/# sourceMappingURL.*\n?/gm, '')
    seen.set(file, text)
    for (const [, target] of text.matchAll(IMPORT)) {
      if (target) visit(resolve(dirname(file), target.replace(/\.(ts|js)$/, '.d.ts')))
    }
  }
  for (const entry of Object.values(exports)) {
    if (typeof entry === 'object' && entry.types) visit(join(ROOT, folder, entry.types))
  }
  return [...seen]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([file, text]) => `// ${relative(join(ROOT, folder, 'dist'), file)}\n${text.trim()}\n`)
    .join('\n')
}

if (process.argv[1]?.endsWith('api-snapshot.ts')) process.exitCode = (await checkApi()).ok ? 0 : 1
