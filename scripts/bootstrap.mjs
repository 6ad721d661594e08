// Runs a root task on the right tools. Plain JavaScript: this is the one file that must run on an older Node.
// Node >= 22.12 is used as it is; on an older one Node 22 and pnpm come from their npm packages.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const NODE_PACKAGE = 'node@22.23.3'
const PNPM_PACKAGE = 'pnpm@10.34.9'
const root = dirname(dirname(fileURLToPath(import.meta.url)))
const cache = join(root, '.cache')
const [task, ...args] = process.argv.slice(2)
const TASKS = ['start', 'test', 'check', 'bench', 'build']

if (task === undefined || !TASKS.includes(task))
  fail(`expected one of ${TASKS.join(', ')}, received ${task ?? 'nothing'}`)
mkdirSync(cache, { recursive: true })
const tools = findTools()
const env = {
  ...process.env,
  PATH: [dirname(tools.node), join(root, 'node_modules', '.bin'), process.env['PATH']].join(delimiter),
  // Its install script would fetch GPU libraries from outside the registry; the CPU library is in the package.
  ONNXRUNTIME_NODE_INSTALL_CUDA: 'skip',
  ATTUNE_ROOT: root,
}
install()
buildKernels()
runTask()

/** Node >= 22.12 and pnpm 10: those present, or from npm, remembered in .cache. */
function findTools() {
  const present = newEnough(process.versions.node) ? process.execPath : undefined
  const memory = join(cache, 'tools.json')
  try {
    const known = JSON.parse(readFileSync(memory, 'utf8'))
    const same = known.key === `${NODE_PACKAGE} ${PNPM_PACKAGE} ${process.execPath}`
    if (same && existsSync(known.node) && existsSync(known.pnpm)) return known
  } catch {
    // not looked for yet
  }
  say(
    present === undefined
      ? `Node ${process.versions.node} is too old: fetching Node 22 and pnpm from npm`
      : 'fetching pnpm from npm',
  )
  const packages = present === undefined ? [NODE_PACKAGE, PNPM_PACKAGE] : [PNPM_PACKAGE]
  const find =
    "const p=require('path');for(const d of process.env.PATH.split(p.delimiter)){const f=p.join(d,'pnpm');if(d.includes('_npx')&&require('fs').existsSync(f)){console.log(JSON.stringify({node:process.execPath,pnpm:require('fs').realpathSync(f)}));break}}"
  const result = spawnSync(
    process.platform === 'win32' ? 'npx.cmd' : 'npx',
    ['-y', ...packages.flatMap((name) => ['-p', name]), '--', 'node', '-e', find],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  )
  const line = (result.stdout ?? '').trim().split('\n').at(-1) ?? ''
  if (result.status !== 0 || !line.startsWith('{')) {
    fail(
      `could not fetch ${packages.join(' and ')} with npx; install Node >= 22.12 by hand, or check the npm registry`,
    )
  }
  const found = { key: `${NODE_PACKAGE} ${PNPM_PACKAGE} ${process.execPath}`, ...JSON.parse(line) }
  writeFileSync(memory, JSON.stringify(found))
  return found
}

function newEnough(version) {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > 22 || (major === 22 && minor >= 12)
}

/** Installs packages when the lockfile is another than the one last installed. */
function install() {
  const stamp = join(root, 'node_modules', '.attune-installed')
  const manifests = ['packages', 'tools', 'examples']
    .flatMap((folder) =>
      readdirSync(join(root, folder)).map((name) => join(root, folder, name, 'package.json')),
    )
    .concat(
      join(root, 'bench', 'package.json'),
      join(root, 'deploy', 'package.json'),
      join(root, 'package.json'),
      join(root, 'pnpm-workspace.yaml'),
      join(root, 'pnpm-lock.yaml'),
    )
  const hash = createHash('sha256')
  for (const file of manifests) if (existsSync(file)) hash.update(readFileSync(file))
  const digest = hash.digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return
  say('installing packages')
  const frozen = process.env['CI'] ? '--frozen-lockfile' : '--no-frozen-lockfile'
  run(tools.node, [tools.pnpm, 'install', frozen, '--reporter=append-only', '--loglevel=warn'], {
    CI: process.env['CI'] ?? 'true',
  })
  writeFileSync(stamp, digest)
}

/** Compiles the wasm kernels whose AssemblyScript sources are newer. */
function buildKernels() {
  for (const name of readdirSync(join(root, 'packages'))) {
    const folder = join(root, 'packages', name)
    const sources = join(folder, 'kernels')
    if (!existsSync(sources)) continue
    const newest = Math.max(...readdirSync(sources).map((file) => statSync(join(sources, file)).mtimeMs))
    const wasm = join(folder, 'wasm')
    const built = existsSync(wasm) ? readdirSync(wasm).filter((file) => file.endsWith('.wasm')) : []
    if (built.length > 0 && Math.min(...built.map((file) => statSync(join(wasm, file)).mtimeMs)) > newest)
      continue
    say(`compiling the kernels of ${name}`)
    mkdirSync(wasm, { recursive: true })
    run(tools.node, [tools.pnpm, '--silent', '-C', folder, 'run', 'build:kernels'])
  }
}

function runTask() {
  const minor = Number(tools.node === process.execPath ? process.versions.node.split('.')[1] : 99)
  const major = Number(tools.node === process.execPath ? process.versions.node.split('.')[0] : 22)
  const strip = major === 22 && minor < 18 ? ['--experimental-strip-types'] : []
  const child = spawn(
    tools.node,
    [
      '--conditions=@attune/source',
      '--disable-warning=ExperimentalWarning',
      ...strip,
      join(root, 'scripts', `${task}.ts`),
      ...args,
    ],
    { stdio: 'inherit', env, cwd: root },
  )
  // At a terminal Ctrl-C reaches the child by itself, and a second one would cut its tidying up short.
  process.on('SIGINT', () => process.stdin.isTTY || child.kill('SIGINT'))
  process.on('SIGTERM', () => child.kill('SIGTERM'))
  process.on('SIGHUP', () => child.kill('SIGTERM'))
  child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 143)))
}

function run(command, commandArgs, extra = {}) {
  // Standard output is the task's own: `--json` prints its object as the last line.
  const { status, error } = spawnSync(command, commandArgs, {
    stdio: ['ignore', 2, 2],
    env: { ...env, ...extra },
    cwd: root,
  })
  if (status !== 0) fail(`${commandArgs.slice(1).join(' ')} ended with ${error?.message ?? status}`)
}

function say(text) {
  process.stderr.write(`attune: ${text}\n`)
}

function fail(text) {
  say(text)
  process.exit(1)
}
