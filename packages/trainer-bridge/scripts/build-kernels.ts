// Compiles kernels/train.ts to wasm/: once with relaxed SIMD's fused multiply-add, once without for hosts that lack it.
import { mkdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { main } from 'assemblyscript/asc'

const root = fileURLToPath(new URL('..', import.meta.url))
mkdirSync(new URL('../wasm', import.meta.url), { recursive: true })

const shared = ['kernels/train.ts', '--runtime', 'stub', '--use', 'abort=', '--noAssert', '-O3']
// The memory is made by the trainer; 65,536 pages is what wasm can address.
const memory = ['--importMemory', '--sharedMemory', '--maximumMemory', '65536', '--initialMemory', '1']
const builds = [
  { file: 'wasm/train.wasm', flags: ['--enable', 'simd', '--enable', 'threads'] },
  {
    file: 'wasm/train-relaxed.wasm',
    flags: ['--enable', 'simd', '--enable', 'threads', '--enable', 'relaxed-simd', '--use', 'RELAXED=1'],
  },
]
for (const { file, flags } of builds) {
  const { error, stderr } = await main([...shared, ...memory, ...flags, '-o', file, '--baseDir', root])
  if (error !== null) {
    process.stderr.write(`${stderr.toString()}\n${file}: ${error.message}\n`)
    process.exit(1)
  }
  if (hasStaticData(readFileSync(new URL(`../${file}`, import.meta.url)))) {
    process.stderr.write(`${file}: has static data, which would lie where the trainer lays out its own\n`)
    process.exit(1)
  }
}

/** Whether a module has a data section (id 11). AssemblyScript's Math.log, say, brings tables along. */
function hasStaticData(bytes: Uint8Array): boolean {
  for (let at = 8; at < bytes.length;) {
    const id = bytes[at++]
    let size = 0
    for (let shift = 0, more = true; more; shift += 7) {
      const byte = bytes[at++] ?? 0
      size |= (byte & 127) << shift
      more = byte > 127
    }
    if (id === 11) return true
    at += size
  }
  return false
}
