import { nodeResolve } from '@rollup/plugin-node-resolve'
import terser from '@rollup/plugin-terser'
import esbuild from 'rollup-plugin-esbuild'

// Types come from `tsc -b`, which also puts the same .d.ts tree into dist.
const plugins = [
  nodeResolve({
    exportConditions: ['@attune/source', 'module', 'import', 'default'],
    extensions: ['.ts', '.js'],
  }),
  esbuild({ target: 'es2022', tsconfig: false }),
]
const mangle = { properties: { regex: /^_/ } }
const external = ['idb', /^@attune\/core/]
const warn = (warning) => {
  throw new Error(warning.message)
}

/** @type {import('rollup').RollupOptions[]} */
export default [
  {
    input: { index: 'src/index.ts' },
    external,
    plugins: [...plugins, terser({ compress: false, mangle, format: { beautify: true, comments: 'some' } })],
    output: { dir: 'dist', format: 'es', sourcemap: true, chunkFileNames: 'chunk-[hash].js' },
    onwarn: warn,
  },
  {
    input: 'src/iife.ts',
    plugins: [...plugins, terser({ ecma: 2020, compress: { passes: 3, unsafe_arrows: true }, mangle })],
    output: { file: 'dist/attune.js', format: 'iife', sourcemap: true },
    onwarn: warn,
  },
]
