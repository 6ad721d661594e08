import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

export interface AssetFile {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly type: string
}

export interface Assets {
  /** Under `/assets/`, by a name that changes with the content. */
  readonly files: ReadonlyMap<string, AssetFile>
  readonly script: string
  readonly styles: string
  /** Needed before the first paint. */
  readonly fonts: readonly string[]
  /** `attune.js` as packages/client builds it. */
  readonly client: Uint8Array<ArrayBuffer>
  /** The shop's sign, an SVG document. */
  readonly mark: string
}

const TYPES: Readonly<Record<string, string>> = {
  js: 'text/javascript',
  css: 'text/css',
  woff2: 'font/woff2',
}

/** @param clientFile - `attune.js` */
export async function buildAssets(clientFile: string | URL): Promise<Assets> {
  const browser = (name: string) => fileURLToPath(new URL(`../browser/${name}`, import.meta.url))
  const { outputFiles } = await build({
    entryPoints: { shop: browser('main.ts'), styles: browser('styles/shop.css') },
    bundle: true,
    minify: true,
    write: false,
    outdir: 'assets',
    entryNames: '[name].[hash]',
    assetNames: '[name].[hash]',
    publicPath: '/assets',
    format: 'esm',
    target: ['es2022', 'chrome111', 'firefox115', 'safari16.4'],
    loader: { '.woff2': 'file' },
    conditions: ['@attune/source'],
    logLevel: 'error',
  })
  const files = new Map<string, AssetFile>()
  for (const { path, contents } of outputFiles) {
    const name = basename(path)
    files.set(name, {
      bytes: new Uint8Array(contents),
      type: TYPES[name.split('.').at(-1) ?? ''] ?? 'application/octet-stream',
    })
  }
  const named = (start: string, end: string) =>
    [...files.keys()]
      .filter((name) => name.startsWith(start) && name.endsWith(end))
      .map((name) => `/assets/${name}`)
  return {
    files,
    script: named('shop.', '.js')[0] ?? '',
    styles: named('styles.', '.css')[0] ?? '',
    fonts: named('', '.woff2'),
    client: new Uint8Array(await readFile(clientFile)),
    mark: await readFile(browser('mark.svg'), 'utf8'),
  }
}
