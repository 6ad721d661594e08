import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { transform } from 'esbuild'
import { builds, manifest, type Rollup } from './_client-build.ts'

// What the client costs a page: bytes after gzip -9 of what a bundler's user gets from the published module, everything
// it imports included (idb, core), and of the script-tag file.

const gzip = (code: string | Uint8Array): number => gzipSync(code, { level: 9 }).length

/** The published files, for rollup. */
const published = (files: ReadonlyMap<string, string>) => ({
  name: 'published',
  resolveId(id: string) {
    if (id === 'import') return id
    if (id.startsWith('./')) return id.slice(2)
    return id.startsWith('@attune/client') ? `${id.slice('@attune/client/'.length) || 'index'}.js` : null
  },
  load: (id: string) => files.get(id) ?? null,
})

interface Terser {
  readonly minify: (code: string, options: object) => Promise<{ code?: string }>
}

/** What a page loads at once of one import, file by file: as rollup and terser (webpack's too) leave it. */
async function bundled(files: ReadonlyMap<string, string>, code: string): Promise<string[]> {
  const require = createRequire(manifest)
  const { rollup } = (await import(pathToFileURL(require.resolve('rollup')).href)) as Rollup
  const { minify } = createRequire(require.resolve('@rollup/plugin-terser'))('terser') as Terser
  const built = await rollup({
    input: 'import',
    external: ['react'],
    plugins: [{ name: 'import', load: (id: string) => (id === 'import' ? code : null) }, published(files)],
  })
  const { output } = await built.generate({ format: 'es' })
  await built.close()
  // What is imported when it is needed is not part of it.
  const loaded = new Set(output[0] === undefined ? [] : [output[0].fileName])
  for (const name of loaded)
    for (const next of output.find((file) => file.fileName === name)?.imports ?? [])
      if (next !== 'react') loaded.add(next)
  const parts = output.filter((file) => loaded.has(file.fileName))
  return Promise.all(parts.map(async (part) => (await minify(part.code, { module: true })).code ?? ''))
}

const total = (parts: readonly string[]): number => parts.reduce((sum, part) => sum + gzip(part), 0)

/** The same by esbuild, which renames and joins less. */
async function byEsbuild(parts: readonly string[]): Promise<number> {
  const minified = parts.map((code) => transform(code, { minify: true, format: 'esm', target: 'es2022' }))
  return total((await Promise.all(minified)).map(({ code }) => code))
}

/** Bytes after gzip that each import may cost a page; held in CI by size.test.ts. */
export const BUDGETS = {
  capture_gz: 6_000,
  full_gz: 8_500,
  iife_gz: 9_000,
  react_gz: 1_500,
  on_device_gz: 3_500,
} as const

type Sizes = Record<
  keyof typeof BUDGETS | 'capture_esbuild_gz' | 'full_esbuild_gz' | 'back_gz' | 'dwell_gz' | 'debug_gz',
  number
>

/** @param files - what is published, by file name */
export async function measure(files: ReadonlyMap<string, string>): Promise<Sizes> {
  const capture = await bundled(files, `export { createTracker } from '@attune/client'`)
  const full = await bundled(files, `export { createClient } from '@attune/client'`)
  const both = await bundled(
    files,
    `export { createClient } from '@attune/client'; export { onDevice } from '@attune/client/on-device'`,
  )
  return {
    capture_gz: total(capture),
    full_gz: total(full),
    iife_gz: gzip(files.get('attune.js') ?? ''),
    // On top of a page that has the client and React.
    react_gz: total(await bundled(files, `export * from '@attune/client/react'`)),
    // On top of the full client, whose chunks a bundler shares: the difference of both together and the client alone.
    on_device_gz: total(both) - total(full),
    // Of those who ask for them, on top of the client.
    back_gz: total(await bundled(files, `export * from '@attune/client/back'`)),
    dwell_gz: total(await bundled(files, `export * from '@attune/client/dwell'`)),
    debug_gz: total(await bundled(files, `export * from '@attune/client/debug'`)),
    capture_esbuild_gz: await byEsbuild(capture),
    full_esbuild_gz: await byEsbuild(full),
  }
}

/** @returns bytes after gzip */
export async function run(_args: string[]): Promise<Record<string, unknown>> {
  return { bench: 'size', ...(await measure(await builds())) }
}
