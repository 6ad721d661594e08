// run-python.ts REQUIREMENTS SCRIPT [ARGUMENT…]: runs a script of this folder on a Python that has what it requires.
import { spawn } from 'node:child_process'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pythonWith } from './python.ts'

const [requirements, script, ...rest] = process.argv.slice(2)
if (requirements === undefined || script === undefined) {
  process.stderr.write('run-python.ts REQUIREMENTS SCRIPT [ARGUMENT…]\n')
  process.exit(2)
}
// PyTorch is 5 GB: one for all checkouts.
const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'attune')
const found = await pythonWith(new URL(requirements, import.meta.url), cache)
if ('missing' in found) {
  process.stderr.write(`${found.missing}\n`)
  process.exit(3)
}
const child = spawn(found.python, [fileURLToPath(new URL(script, import.meta.url)), ...rest], {
  stdio: 'inherit',
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
child.on('exit', (code) => process.exit(code ?? 1))
