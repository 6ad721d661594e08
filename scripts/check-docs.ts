import { existsSync, mkdirSync, rmSync, writeFileSync, readFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { dirname, join, resolve } from 'node:path'
import { ROOT, step, type StepResult } from './run.ts'

const FENCE = /^```(ts|tsx)\n([\s\S]*?)^```$/gm
const LINK = /\]\((?!https?:|#|mailto:)([^)#\s]+)(?:#[^)]*)?\)/g

/** Every `ts` fence compiles against the packages as they are, and every relative link leads somewhere. */
export async function checkDocs(): Promise<StepResult> {
  const folder = join(ROOT, 'bench', 'dist', 'docs')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const problems: string[] = []
  let fences = 0
  for (const file of markdownFiles()) {
    const text = readFileSync(join(ROOT, file), 'utf8')
    for (const [, target] of text.matchAll(LINK)) {
      if (target && !existsSync(resolve(ROOT, dirname(file), decodeURI(target))))
        problems.push(`${file}: no such file ${target}`)
    }
    for (const [, language, code] of text.matchAll(FENCE)) {
      const name = `${file.replaceAll(/[^a-zA-Z0-9]/g, '-')}-${++fences}.${language}`
      writeFileSync(join(folder, name), `// ${file}\n${code}\nexport {}\n`)
    }
  }
  // Inside bench/, so that its dependencies on every package resolve.
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      extends: '../../../tsconfig.base.json',
      compilerOptions: {
        lib: ['es2023', 'dom', 'dom.iterable'],
        types: ['node'],
        jsx: 'react-jsx',
        // As a reader has them: the built declarations, not our sources.
        customConditions: [],
        composite: false,
        declarationMap: false,
        isolatedDeclarations: false,
        noUnusedLocals: false,
        noEmit: true,
        rootDir: '../../..',
      },
      include: ['*.ts', '*.tsx'],
    }),
  )
  if (fences > 0) {
    const types = await step(`docs: ${fences} code fences`, ['tsc', '-p', folder], { quiet: true })
    if (!types.ok) problems.push('code fences do not compile')
  }
  for (const problem of problems) console.log(problem)
  const ok = problems.length === 0
  console.log(`${ok ? 'passed' : 'FAILED'}  docs`)
  return { name: 'docs', ok, seconds: 0, output: problems.join('\n') }
}

function markdownFiles(): string[] {
  return execFileSync('git', ['ls-files', '-co', '--exclude-standard', '*.md'], {
    cwd: ROOT,
    encoding: 'utf8',
  })
    .split('\n')
    .filter((file) => file !== '' && existsSync(join(ROOT, file)))
}

if (process.argv[1]?.endsWith('check-docs.ts')) process.exitCode = (await checkDocs()).ok ? 0 : 1
