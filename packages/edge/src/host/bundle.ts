import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'

/** A Worker as its parts: one script, and the wasm modules it imports by name. */
export interface WorkerBundle {
  readonly script: string
  /** Bytes by the name the script imports. */
  readonly modules: ReadonlyMap<string, Uint8Array<ArrayBuffer>>
}

/**
 * Bundles a Worker from source. `.wasm` imports stay imports, because workerd compiles them itself and refuses to at run
 * time.
 */
export async function bundleWorker(entry: URL, minify = false): Promise<WorkerBundle> {
  const files = new Map<string, string>()
  const result = await build({
    entryPoints: [fileURLToPath(entry)],
    bundle: true,
    write: false,
    minify,
    format: 'esm',
    target: 'es2023',
    platform: 'browser',
    conditions: ['@attune/source', 'workerd', 'worker', 'browser'],
    external: ['cloudflare:*', 'node:*', 'module'],
    logLevel: 'error',
    plugins: [keepWasm(files)],
  })
  const modules = new Map<string, Uint8Array<ArrayBuffer>>()
  for (const [name, path] of files) modules.set(name, new Uint8Array(await readFile(path)))
  return { script: result.outputFiles[0]?.text ?? '', modules }
}

function keepWasm(files: Map<string, string>): Plugin {
  return {
    name: 'keep-wasm',
    setup({ onResolve, resolve }) {
      onResolve({ filter: /\.wasm$/ }, async ({ path, resolveDir, kind, pluginData }) => {
        if (pluginData === keepWasm) return undefined
        const found = await resolve(path, { resolveDir, kind, pluginData: keepWasm })
        if (found.errors.length > 0) return { errors: found.errors }
        const name = basename(found.path)
        files.set(name, found.path)
        return { path: `./${name}`, external: true }
      })
    },
  }
}
