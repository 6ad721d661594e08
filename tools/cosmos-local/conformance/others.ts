import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startCosmosLocal, type CosmosLocal } from '../src/index.ts'
import type { SuiteResult } from './run.ts'

const HERE: string = import.meta.dirname
/** Clients of other languages are installed once, outside the checkout's tracked files. */
const CACHE: string = join(HERE, '../../../.cache')
const SUITE_TIMEOUT_MS = 600_000

/** Runs a program to its end; what it printed. */
function run(
  command: string,
  args: readonly string[],
  env: Record<string, string> = {},
  cwd: string = HERE,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
      timeout: SUITE_TIMEOUT_MS,
    })
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')))
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) resolve(text)
      else reject(new Error(`${command} ended with ${String(code)}: ${text.slice(-2000)}`))
    })
  })
}

/** A Python of its own with the packages given, made the first time. */
async function python(name: string, packages: readonly string[]): Promise<string> {
  const folder = join(CACHE, name)
  const program = join(folder, 'bin/python')
  const done = join(folder, 'installed.txt')
  if (!existsSync(done)) {
    process.stderr.write(`installing ${packages.join(', ')}\n`)
    await run('python3', ['-m', 'venv', folder])
    await run(program, ['-m', 'pip', 'install', '-q', ...packages])
    await writeFile(done, `${packages.join('\n')}\n`)
  }
  return program
}

/** The last line of a suite's output is its result. */
function resultIn(text: string): SuiteResult {
  const last = text.trim().split('\n').at(-1) ?? ''
  const result = JSON.parse(last) as { pass: number; fail: number; failures: string[] }
  for (const failure of result.failures) process.stderr.write(`FAIL ${failure}\n`)
  return { pass: result.pass, fail: result.fail, ...(result.fail > 0 && { failures: result.failures }) }
}

async function withServer<T>(work: (cosmos: CosmosLocal) => Promise<T>, tls = false): Promise<T> {
  const cosmos = await startCosmosLocal({ port: 0, ...(tls ? { tlsPort: 0 } : {}) })
  try {
    return await work(cosmos)
  } finally {
    await cosmos.close()
  }
}

export async function runPython(): Promise<SuiteResult> {
  const program = await python('python-cosmos', ['azure-cosmos==4.17.0'])
  return withServer(async (cosmos) =>
    resultIn(await run(program, ['python/suite.py', cosmos.endpoint, cosmos.key, cosmos.adminEndpoint])),
  )
}

/** Java over TLS: the server's certificate in a trust store of its own. */
export async function runJava(): Promise<SuiteResult> {
  const folder = join(HERE, 'java')
  const classpathFile = join(CACHE, 'java-classpath.txt')
  const classes = join(CACHE, 'java-classes')
  await mkdir(classes, { recursive: true })
  if (!existsSync(classpathFile)) {
    process.stderr.write('fetching the Java client\n')
    await run(
      'mvn',
      ['-q', '-B', 'dependency:build-classpath', `-Dmdep.outputFile=${classpathFile}`],
      {},
      folder,
    )
  }
  const { readFile } = await import('node:fs/promises')
  const classpath = (await readFile(classpathFile, 'utf8')).trim()
  const sources = join(folder, 'src/main/java')
  await run('javac', ['-d', classes, '-cp', classpath, '-sourcepath', sources, join(sources, 'Suite.java')])
  const scratch = await mkdtemp(join(tmpdir(), 'cosmos-java-'))
  try {
    return await withServer(async (cosmos) => {
      const certificate = join(scratch, 'cert.pem')
      const store = join(scratch, 'trust.p12')
      await writeFile(certificate, cosmos.certificate ?? '')
      const importing = ['-importcert', '-noprompt', '-alias', 'cosmos-local', '-file', certificate]
      await run('keytool', [
        ...importing,
        '-keystore',
        store,
        '-storetype',
        'PKCS12',
        '-storepass',
        'changeit',
      ])
      const trust = [`-Djavax.net.ssl.trustStore=${store}`, '-Djavax.net.ssl.trustStorePassword=changeit']
      const about = [cosmos.tlsEndpoint ?? '', cosmos.key, cosmos.adminEndpoint]
      return resultIn(await run('java', [...trust, '-cp', `${classes}:${classpath}`, 'Suite', ...about]))
    }, true)
  } finally {
    await rm(scratch, { recursive: true })
  }
}

const SPARK_PACKAGES: readonly string[] = [
  'pyspark==4.0.1',
  'cosmosdb-spark-datasource==1.0.0',
  'pyarrow==17.0.0',
  'pandas==2.2.3',
  'numpy==1.26.4',
]

export async function runSpark(): Promise<SuiteResult> {
  const program = await python('python-spark', SPARK_PACKAGES)
  return withServer(async (cosmos) => {
    const env = { PYSPARK_PYTHON: program, SPARK_LOCAL_IP: '127.0.0.1' }
    return resultIn(await run(program, ['spark/suite.py', cosmos.endpoint, cosmos.key], env))
  })
}
