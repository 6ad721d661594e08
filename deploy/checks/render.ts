// Renders aks/rendered/*.yaml anew: run by hand after a change in aks/, then prettier. Needs kubectl (kustomize is in it):
//   node --conditions=@attune/source deploy/checks/render.ts
import { createHash } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { run } from './python.ts'

const AKS = join(import.meta.dirname, '..', 'aks')
/** What is applied, by name. */
export const TARGETS: Readonly<Record<string, string>> = {
  production: 'overlays/production',
  staging: 'overlays/staging',
  monitoring: 'monitoring',
}

/** Digest over every file that renderings are made of. Line ends count: a checkout must keep them. */
export async function inputsDigest(): Promise<string> {
  const hash = createHash('sha256')
  for (const folder of ['base', 'components', 'monitoring', 'overlays']) {
    const entries = await readdir(join(AKS, folder), { recursive: true, withFileTypes: true })
    const files = entries
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name))
    for (const file of files.sort()) {
      hash.update(`${relative(AKS, file)}\n`)
      hash.update(await readFile(file))
    }
  }
  return hash.digest('hex')
}

/** @returns YAML. @throws {Error} when kubectl is missing or a file is wrong */
export function render(target: string): Promise<string> {
  return run('kubectl', ['kustomize', join(AKS, target)])
}

export function renderedFile(name: string): string {
  return join(AKS, 'rendered', `${name}.yaml`)
}

if (process.argv[1] === import.meta.filename) {
  const digest = await inputsDigest()
  for (const [name, target] of Object.entries(TARGETS)) {
    const text = await render(target)
    const head = `# Rendered by \`kubectl kustomize deploy/aks/${target}\`; do not edit. Inputs: sha256 ${digest}\n`
    await writeFile(renderedFile(name), head + text)
  }
}
