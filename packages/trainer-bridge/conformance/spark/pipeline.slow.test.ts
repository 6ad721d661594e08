import { execFile, fork, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { CosmosClient } from '@azure/cosmos'
import { EVENTS_CONTAINER } from '@attune/core'
import { parseGolden } from '@attune/core/artifact'
import { CandidateSet, checkGolden, coreEngine } from '@attune/core/rank'
import { startCosmosLocal, type CosmosLocal } from '@attune/cosmos-local'
import { afterAll, beforeAll, expect, test, type TestContext } from 'vitest'
import { generateSigningKey, publicJwk } from '../../src/artifact/sign.ts'
import { modelOf, readArtifact } from '../../src/artifact/folder.ts'
import { runCli } from '../../src/cli/run.ts'
import { compareModels } from '../../src/gate/gate.ts'
import { localSubmitter } from '../../src/spark/local.ts'
import { foldersOf, stepsOf, type SparkStep } from '../../src/spark/steps.ts'
import { progressIn } from '../../src/spark/trainer.ts'
import { loadSessions } from '../../src/train/load-sessions.ts'
import { nodeScanner } from '../../src/train/node-scanner.ts'
import { webEngine } from '../../src/train/ort-engine.ts'
import { buildTables } from '../../src/train/tables.ts'
import { buildTogether, TOGETHER_WIDTH } from '../../src/train/together.ts'
import { servingModel } from '../../src/train/trained-model.ts'
import { Windows, type StoredBatch } from '../../src/windows.ts'
import { SPARK, sparkPython, type SparkPython } from './python.ts'
import { makeTraffic } from './traffic.ts'

// From the local Cosmos to an edge that serves: the three programs on local[2], as the bridge starts them.

const INSTALL_MS = 1_200_000
/** Three minutes on two free cores. */
const PIPELINE_MS = 1_500_000
const EDGE = fileURLToPath(new URL('../../../../bench/src/_edge-process.ts', import.meta.url))
let spark: SparkPython | { readonly missing: string }
let folder: string
let cosmos: CosmosLocal
let edge: ChildProcess | undefined
const batches = makeTraffic({ seed: 1, visitors: 300, items: 80 })

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attune-spark-'))
  cosmos = await startCosmosLocal({ port: 0 })
  spark = await sparkPython()
  await store(batches)
}, INSTALL_MS)

afterAll(async () => {
  edge?.disconnect()
  await cosmos.close()
  await rm(folder, { recursive: true, force: true })
})

function ready(context: TestContext): SparkPython {
  const found = spark
  if (!('missing' in found)) return found
  if (process.env['CI']) throw new Error(found.missing)
  return context.skip(found.missing)
}

async function store(all: readonly StoredBatch[]): Promise<void> {
  const client = new CosmosClient({ endpoint: cosmos.endpoint, key: cosmos.key })
  const { database } = await client.databases.createIfNotExists({ id: 'attune' })
  const { id, partitionKey } = EVENTS_CONTAINER
  const { container } = await database.containers.createIfNotExists({
    id,
    partitionKey: { paths: [...partitionKey.paths], version: 2 },
    throughput: 20_000,
  })
  const documents = new Map(
    all.map((batch) => [batch.id, { ...batch, events: [...batch.events], site: 'shop', at: 0 }]),
  )
  await container.items.executeBulkOperations(
    [...documents.values()].map((document) => ({
      operationType: 'Create' as const,
      resourceBody: JSON.parse(JSON.stringify(document)),
      partitionKey: document.visitor,
    })),
  )
  client.dispose()
}

const plan = () => ({
  source: {
    source: 'cosmosdb',
    endpoint: cosmos.endpoint,
    auth: 'key',
  },
  work: join(folder, 'work'),
  iterations: 3,
  heldOut: 0.1,
})

async function submit(
  { submit, python, env }: SparkPython,
  steps: readonly SparkStep[],
  lines: string[] = [],
) {
  const submitter = localSubmitter({
    master: 'local[2]',
    scripts: SPARK,
    submit,
    python,
    conf: {
      'spark.ui.enabled': 'false',
      'spark.driver.bindAddress': '127.0.0.1',
      'spark.driver.host': '127.0.0.1',
      'spark.sql.shuffle.partitions': '2',
      // Workers start slowly on a busy machine; the default of 15 s is not enough there.
      'spark.python.authenticate.socketTimeout': '180s',
    },
    env: { ...env, COSMOS_KEY: cosmos.key },
  })
  await submitter.run(steps, { onEvent: (event) => event.type === 'line' && lines.push(event.line) })
  return submitter
}

interface Dump {
  readonly meta: Record<string, number>
  readonly ids: string[]
  readonly offsets: number[]
  readonly rows: number[]
  readonly kinds: number[]
  readonly tables: Record<string, number[]>
  readonly pairs: [sources: number[], targets: number[], units: number[]]
}

/** Pairs by item ids, as the bridge counts them from the same batches. */
function countedByBridge(all: readonly StoredBatch[]): Map<string, number> {
  const pairs = new Map<string, number>()
  const windows = new Windows()
  for (const batch of all) {
    windows.apply(batch, {
      step: () => undefined,
      pair: (source, target, units, sign) => {
        const key = `${source} ${target}`
        const sum = (pairs.get(key) ?? 0) + sign * units
        if (sum === 0) pairs.delete(key)
        else pairs.set(key, sum)
      },
    })
  }
  return pairs
}

async function dump({ python }: SparkPython, data: string): Promise<Dump> {
  const { stdout } = await promisify(execFile)(python, [join(SPARK, 'tests', 'dump.py'), data], {
    env: { ...process.env, PYTHONPATH: SPARK },
    maxBuffer: 1 << 26,
  })
  return JSON.parse(stdout) as Dump
}

test(
  'prepare on all batches of the local Cosmos counts every pair that the bridge counts, and makes the tables that buildTables and buildTogether make',
  async (context) => {
    const python = ready(context)
    const [prepare] = stepsOf({ ...plan(), work: join(folder, 'all'), heldOut: 0 })
    if (prepare === undefined) throw new Error('no step')
    await submit(python, [{ ...prepare, args: [...prepare.args, '--pairs'] }])
    const made = await dump(python, foldersOf({ work: join(folder, 'all') }).data)

    const [sources, targets, units] = made.pairs
    const id = (row: number | undefined) => made.ids[row ?? -1] ?? ''
    const pairs = new Map(
      sources.map((source, index) => [`${id(source)} ${id(targets[index])}`, units[index]]),
    )
    const expected = countedByBridge(batches)
    expect(expected.size).toBeGreaterThan(1_000)
    expect([...pairs].sort()).toEqual([...expected].sort())

    const tables = buildTables(
      { ids: made.ids, offsets: Uint32Array.from(made.offsets), rows: Uint32Array.from(made.rows) },
      100,
    )
    // Sums of doubles depend on their order, those of whole numbers do not: equal counts may stand in another order.
    const ordered = (items: ArrayLike<number>, scores: ArrayLike<number>, width = 100) =>
      Array.from(items, (item, place): readonly [number, number, number] => [
        Math.floor(place / width),
        scores[place] ?? 0,
        item,
      ]).sort((one, other) => one[0] - other[0] || other[1] - one[1] || one[2] - other[2])
    expect(ordered(made.tables['sr_items'] ?? [], made.tables['sr_scores'] ?? [])).toEqual(
      ordered(tables.srItems, tables.srScores),
    )
    const together = buildTogether({
      ids: made.ids,
      offsets: Uint32Array.from(made.offsets),
      rows: Uint32Array.from(made.rows),
      kinds: Uint8Array.from(made.kinds),
    })
    if (together === undefined) throw new Error('nobody bought anything')
    expect(together.scales.filter((scale) => scale > 0).length).toBeGreaterThan(20)
    expect(ordered(made.tables['bt_items'] ?? [], made.tables['bt_scores'] ?? [], TOGETHER_WIDTH)).toEqual(
      ordered(together.items, together.scores, TOGETHER_WIDTH),
    )
    for (const [name, values] of [
      ['bt_scales', together.scales],
      ['sr_scales', tables.srScales],
      ['sr_sums', tables.srSums],
      ['popularity', tables.popularity],
      ['trend', tables.trend],
    ] as const) {
      const off = made.tables[name]?.map(
        (value, row) => Math.abs(value - (values[row] ?? 0)) / Math.max(1, value),
      )
      expect(Math.max(...(off ?? [1])), name).toBeLessThan(1e-6)
    }
  },
  PIPELINE_MS,
)

test(
  'prepare, train in two processes and export make an epoch that passes the gate, ONNX and an edge',
  async (context) => {
    const python = ready(context)
    const lines: string[] = []
    const submitter = await submit(python, stepsOf(plan()), lines)
    const { artifact } = foldersOf(plan())
    const collected = join(folder, 'collected')
    await submitter.collect(artifact, collected)
    const read = await readArtifact(collected)
    const model = modelOf(read)
    expect(read.manifest).toMatchObject({ trainer: 'spark/0.1.0', epoch: 1, parent: null, neighbours: 100 })
    // Two processes, and a loss that falls.
    expect(
      lines.some((line) => line.includes('Started distributed training with 2 executor processes')),
    ).toBe(true)
    const losses = lines.flatMap((line) => progressIn(line) ?? []).filter(({ phase }) => phase === 'rebuild')
    // The first line that a process prints is told twice by TorchDistributor.
    expect([...new Set(losses.map(({ iteration }) => iteration))]).toEqual([1, 2, 3])
    expect(losses.at(-1)?.loss).toBeLessThan((losses[0]?.loss ?? 0) - 0.5)

    // Golden vectors of Python, reproduced by core and by onnxruntime.
    const file = (role: 'golden' | 'encoder' | 'ranker') =>
      read.files.get(read.manifest.files[role]?.sha256 ?? '') ?? new Uint8Array()
    const golden = parseGolden(file('golden'))
    const serving = servingModel(model, nodeScanner)
    await checkGolden(serving, golden, coreEngine(model.weights), new CandidateSet())
    const ort = await webEngine({ encoder: file('encoder'), ranker: file('ranker') })
    await checkGolden(serving, golden, ort, new CandidateSet())
    expect(golden.rank.every(({ top }) => top.length >= 5)).toBe(true)

    // On visits it has not seen it finds far more than the popular items of an untrained one would.
    const heldOut = { visits: await loadSessions(join(collected, 'held-out')), seen: false }
    const against = { epoch: 1, created: read.manifest.created }
    const report = await compareModels(model, model, against, heldOut, { threads: 1 })
    expect(report.verdict).toBe('passed')
    expect(read.manifest.gate?.['hr20']).toBeGreaterThan(0.4)

    // The real edge, in a process of its own.
    const signingKey = await generateSigningKey()
    const pushKey = randomBytes(24).toString('base64url')
    const { x, kid } = publicJwk(signingKey)
    const options = {
      persist: join(folder, 'edge'),
      cosmos: { endpoint: cosmos.endpoint, key: cosmos.key },
      site: { id: 'shop', key: 'pk_spark_0000' },
      pushKey,
      visitorSecret: randomBytes(24).toString('base64url'),
      verifyKeys: [{ kty: 'OKP', crv: 'Ed25519', x, kid }],
    }
    edge = fork(EDGE, [], {
      env: { ...process.env, ATTUNE_BENCH_SERVER: JSON.stringify({ edge: options }) },
      execArgv: ['--conditions=@attune/source', '--experimental-strip-types', '--no-warnings'],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    const [{ url }] = (await once(edge, 'message')) as [{ url: string }]
    const out: string[] = []
    const code = await runCli(['push', '--artifact', collected, '--json'], {
      env: {
        ATTUNE_EDGES: url,
        ATTUNE_PUSH_KEY: pushKey,
        ATTUNE_SIGNING_KEY: JSON.stringify(signingKey),
      },
      out: (text) => out.push(text),
      err: (text) => out.push(text),
      status: undefined,
      fetch,
      now: Date.now,
      signal: new AbortController().signal,
    })
    expect({ code, out: out.at(-1) }).toMatchObject({ code: 0 })
    expect(JSON.parse(out.at(-1) ?? '')).toMatchObject({ edges: [{ acknowledged: { epoch: 1, delta: 0 } }] })
  },
  PIPELINE_MS,
)
