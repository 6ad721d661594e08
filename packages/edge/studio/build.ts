// Builds the live page into src/studio/generated.ts, which hosts take it from: no build step where the edge runs from
// source, and none in wrangler. Run by hand after a change in this folder:
//   node --conditions=@attune/source packages/edge/studio/build.ts
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'esbuild'

const FOLDER = import.meta.dirname
export const GENERATED: string = join(FOLDER, '..', 'src', 'studio', 'generated.ts')

/** The text of generated.ts as this folder is now. */
export async function generate(): Promise<string> {
  const bundle = async (entry: string): Promise<string> => {
    const { outputFiles } = await build({
      entryPoints: [join(FOLDER, entry)],
      bundle: true,
      minify: true,
      format: 'esm',
      target: 'es2022',
      conditions: ['@attune/source', 'module'],
      legalComments: 'inline',
      write: false,
      logLevel: 'error',
    })
    return outputFiles[0]?.text ?? ''
  }
  const page = (await readFile(join(FOLDER, 'page.html'), 'utf8')).replace(/>\s+</g, '><').trim()
  const script = await bundle('main.ts')
  const style = await bundle('style.css')
  return [
    '// Made by studio/build.ts; do not edit. Contains uPlot (MIT), https://github.com/leeoniya/uPlot',
    `export const PAGE: string = ${JSON.stringify(page)}`,
    `export const SCRIPT: string = ${JSON.stringify(script)}`,
    `export const STYLE: string = ${JSON.stringify(style)}`,
    '',
  ].join('\n')
}

if (process.argv[1] === import.meta.filename) await writeFile(GENERATED, await generate())
