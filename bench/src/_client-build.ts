import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

export const manifest: string = import.meta.resolve('@attune/client/package.json')
/** Folder of the client's package. */
export const folder: string = dirname(fileURLToPath(manifest))

export interface Output {
  readonly fileName: string
  readonly code: string
  /** Loaded with it. */
  readonly imports: readonly string[]
}
export interface Rollup {
  readonly rollup: (options: object) => Promise<{
    generate(options: object): Promise<{ output: readonly Output[] }>
    close(): Promise<void>
  }>
}

/** The files of dist/ as the package's own configuration makes them, without writing them: entry name → code. */
export async function builds(): Promise<Map<string, string>> {
  const require = createRequire(manifest)
  const { rollup } = (await import(pathToFileURL(require.resolve('rollup')).href)) as Rollup
  const before = process.cwd()
  process.chdir(folder)
  try {
    const { default: configs } = (await import(new URL('rollup.config.js', manifest).href)) as {
      default: { input: string | Record<string, string>; output: object }[]
    }
    const files = new Map<string, string>()
    for (const config of configs) {
      const built = await rollup(config)
      const { output } = await built.generate(config.output)
      await built.close()
      for (const file of output) {
        if (file.code !== undefined) files.set(file.fileName, file.code)
      }
    }
    return files
  } finally {
    process.chdir(before)
  }
}
