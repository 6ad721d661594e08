import { gzipSync } from 'node:zlib'
import { build, type Plugin } from 'esbuild'
import { builds, folder } from './_client-build.ts'

// What the client costs a page: bytes after gzip -9 of what a bundler's user gets from the published module, everything
// it imports included (idb, core), and of the script-tag file.

const gzip = (code: string | Uint8Array): number => gzipSync(code, { level: 9 }).length

/** Bundles and minifies one import as esbuild (and so Vite before it had oxc) does. */
async function bundled(
  files: ReadonlyMap<string, string>,
  code: string,
  external: string[] = [],
): Promise<number> {
  const published: Plugin = {
    name: 'published',
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^@attune\/client(\/.*)?$/ }, ({ path }) => ({
        path: path === '@attune/client' ? 'index.js' : `${path.slice('@attune/client/'.length)}.js`,
        namespace: 'dist',
      }))
      onResolve({ filter: /^\.\//, namespace: 'dist' }, ({ path }) => ({
        path: path.slice(2),
        namespace: 'dist',
      }))
      onLoad({ filter: /.*/, namespace: 'dist' }, ({ path }) => {
        const contents = files.get(path)
        return contents === undefined ? null : { contents, loader: 'js', resolveDir: folder }
      })
    },
  }
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: folder },
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    conditions: ['@attune/source', 'module'],
    external,
    plugins: [published],
    write: false,
    logLevel: 'silent',
  })
  return gzip(outputFiles[0]?.contents ?? '')
}

/** @returns bytes after gzip; `limits` holds the budget of each figure */
export async function run(_args: string[]): Promise<Record<string, unknown>> {
  const files = await builds()
  const capture = await bundled(files, `export { createTracker } from '@attune/client'`)
  const full = await bundled(files, `export { createClient } from '@attune/client'`)
  const iife = gzip(files.get('attune.js') ?? '')
  return {
    bench: 'size',
    capture_gz: capture,
    full_gz: full,
    iife_gz: iife,
    // On top of a page that has the client and React.
    react_gz: await bundled(files, `export * from '@attune/client/react'`, ['react']),
    // On top of the full client, whose chunks a bundler shares: the difference of both together and the client alone.
    on_device_gz:
      (await bundled(
        files,
        `export { createClient } from '@attune/client'; export { onDevice } from '@attune/client/on-device'`,
      )) - full,
    idb_gz: await bundled(files, `export { openDB } from 'idb'`),
  }
}
