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
// Private properties start with `_`.
const smallest = {
  ecma: 2020,
  compress: { directives: false, passes: 3, unsafe_arrows: true, pure_getters: true },
  mangle: { properties: { regex: /^_/ } },
}
const external = ['idb', 'react', /^@attune\/core/]
const warn = (warning) => {
  throw new Error(warning.message)
}

/** @type {import('rollup').RollupOptions[]} */
export default [
  {
    input: { index: 'src/index.ts', react: 'src/react.ts', 'on-device': 'src/on-device.ts' },
    external,
    plugins: [...plugins, terser({ ...smallest, module: true })],
    output: {
      dir: 'dist',
      format: 'es',
      sourcemap: true,
      chunkFileNames: 'chunk-[hash].js',
      // Frameworks with server components then know where the browser's part begins.
      banner: ({ name }) => (name === 'react' ? `'use client'` : ''),
    },
    onwarn: warn,
  },
  {
    input: 'src/iife.ts',
    plugins: [...plugins, terser(smallest)],
    output: { file: 'dist/attune.js', format: 'iife', sourcemap: true },
    onwarn: warn,
  },
]
