import { readdirSync, readFileSync } from 'node:fs'
import { nodeResolve } from '@rollup/plugin-node-resolve'
import terser from '@rollup/plugin-terser'
import esbuild from 'rollup-plugin-esbuild'

const PRIVATE = /(?<![\w$])_[a-z]\w*/g

/**
 * Private properties start with `_` and are published under short names: the most used ones get the shortest. The same in
 * all files, so that entries fit each other however they are cut into chunks.
 */
function shortNames() {
  const uses = new Map()
  // The panel for developers may be long.
  for (const file of readdirSync(new URL('src', import.meta.url), { recursive: true }).sort()) {
    if (
      !file.endsWith('.ts') ||
      file.endsWith('.test.ts') ||
      file.includes('web-testing') ||
      file.startsWith('debug')
    )
      continue
    const source = readFileSync(new URL(`src/${file}`, import.meta.url), 'utf8')
    for (const [name] of source.matchAll(PRIVATE)) uses.set(name, (uses.get(name) ?? 0) + 1)
  }
  // In the order that gzip makes least of.
  const letters = [...'tcfigFslnzyBwrREoevuGN_hJUKMmCSYxdHXVIbZQkAPTaLpDWj$Oq']
  const all = [...letters, ...letters.flatMap((one) => letters.map((two) => one + two))]
  const names = [...uses].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).map(([name]) => name)
  const short = new Map(names.map((name, at) => [name, all[at]]))
  return {
    name: 'short-names',
    transform: (code, id) =>
      id.includes('/node_modules/')
        ? null
        : { code: code.replace(PRIVATE, (name) => short.get(name) ?? name), map: null },
  }
}

/**
 * What of idb nothing here uses, and a bundler has to keep: shortcuts and iterators that it adds when it is loaded,
 * cursors, indexes, `tx.store`, proxies that can be asked and assigned, taking listeners off what has ended, the same
 * proxy for what is wrapped twice, and what guards against a second wrapping. `error` of a transaction is followed by
 * `abort`, which has the reason.
 */
const UNUSED_OF_IDB = [
  [/^replaceTraps\(/gm, '/* @__PURE__ */ replaceTraps('],
  [/^ {12}IDB(?:Index|Cursor),\n/gm, ''],
  [/^ {4}if \(getCursorAdvanceMethods\(\)\.includes\(func\)\) \{[^]*?^ {4}\}\n/m, ''],
  [/^ *const unlisten = \(\) => \{[^]*?^ *\};\n/gm, ''],
  [/^ *unlisten\(\);\n/gm, ''],
  [/^ *tx\.addEventListener\('error', error\);\n/m, ''],
  [/idbProxyableTypes \|\|\n *\(idbProxyableTypes = (\[[^]*?\])\)/, '$1'],
  [/^ *if \(transformCache\.has\(value\)\)\n *return .*\n/m, ''],
  [/^ *transformCache\.set\(value, newValue\);\n/m, ''],
  [/^ *reverseTransformCache\.set\(promise, request\);\n/m, ''],
  [/!Object\.is\(newValue, value\)/, 'newValue !== value'],
  [/^ *\/\/ Make tx\.store return [^]*?^ {12}\}\n/m, ''],
  [/\('complete', complete\)/, "('complete', resolve)"],
  [/^ *const complete = [^]*?^ *\};\n/m, ''],
  [/^ *if \(transactionDoneMap\.has\(tx\)\)\n *return;\n/m, ''],
  [/tx\.error \|\| new DOMException\('AbortError', 'AbortError'\)/, 'tx.error'],
  [/^ {4}set\(target, prop, value\) \{[^]*?^ {4}\},\n {4}has\(target, prop\) \{[^]*?^ {4}\},\n/m, ''],
]
const plainIdb = {
  name: 'plain-idb',
  transform(code, id) {
    if (!id.endsWith('/idb/build/index.js')) return null
    let plain = code
    for (const [unused, used] of UNUSED_OF_IDB) {
      if (plain.search(unused) < 0) this.error(`idb: expected ${unused}, received another version`)
      plain = plain.replace(unused, used)
    }
    return { code: plain, map: null }
  },
}

/** One file has no use for modules that are loaded when they are needed, and what they are wrapped in costs bytes. */
const allAtOnce = {
  name: 'all-at-once',
  transform(code) {
    const imports = []
    const at = code.replace(/\(await import\("(\.[^"]+)"\)\)\.(\w+)/g, (_, file, name) => {
      imports.push(`import { ${name} as loaded_${name} } from ${JSON.stringify(file)};`)
      return `loaded_${name}`
    })
    return imports.length === 0 ? null : { code: imports.join('') + at, map: null }
  },
}

// Types come from `tsc -b`, which also puts the same .d.ts tree into dist.
const plugins = [
  nodeResolve({
    exportConditions: ['@attune/source', 'module', 'import', 'default'],
    extensions: ['.ts', '.js'],
  }),
  shortNames(),
  plainIdb,
  esbuild({ target: 'es2022', tsconfig: false }),
]
const smallest = {
  ecma: 2020,
  compress: {
    directives: false,
    passes: 3,
    unsafe: true,
    unsafe_arrows: true,
    pure_getters: true,
    unsafe_comps: true,
    hoist_funs: true,
    inline: 1,
  },
}
const warn = (warning) => {
  throw new Error(warning.message)
}

/** What a page takes with a script tag. */
const SCRIPTS = [
  ['dist/attune.js', 'src/iife.ts'],
  ['dist/attune-back.js', 'src/back.iife.ts'],
  ['dist/attune-debug.js', 'src/debug.iife.ts'],
  ['dist/attune-dwell.js', 'src/dwell.iife.ts'],
  ['dist/attune-on-device.js', 'src/on-device.iife.ts'],
]

/** @type {import('rollup').RollupOptions[]} */
export default [
  {
    input: {
      index: 'src/index.ts',
      react: 'src/react.ts',
      'on-device': 'src/on-device.ts',
      back: 'src/back.ts',
      debug: 'src/debug.ts',
      dwell: 'src/dwell.ts',
      testing: 'src/testing.ts',
    },
    external: ['react'],
    plugins: [...plugins, terser({ ...smallest, module: true })],
    output: {
      dir: 'dist',
      format: 'es',
      sourcemap: true,
      chunkFileNames: '[name].js',
      // Frameworks with server components then know where the browser's part begins.
      banner: ({ name }) => (name === 'react' ? `'use client'` : ''),
    },
    onwarn: warn,
  },
  ...SCRIPTS.map(([file, input]) => ({
    input,
    plugins: [...plugins, allAtOnce, terser(smallest)],
    output: { file, format: 'iife', sourcemap: true, inlineDynamicImports: true },
    onwarn: warn,
  })),
]
