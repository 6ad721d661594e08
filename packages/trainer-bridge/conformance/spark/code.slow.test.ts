import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { HISTORY_KINDS } from '@attune/core'
import { parseGolden } from '@attune/core/artifact'
import {
  CandidateSet,
  checkGolden,
  CONTEXT_NAMES,
  coreEngine,
  FEATURE_NAMES,
  rankerInput,
} from '@attune/core/rank'
import { beforeAll, expect, test, type TestContext } from 'vitest'
import { modelOf, readArtifact } from '../../src/artifact/folder.ts'
import { isBasketStep, MAX_BASKET } from '../../src/baskets.ts'
import { nodeScanner } from '../../src/train/node-scanner.ts'
import { servingModel } from '../../src/train/trained-model.ts'
import { TOGETHER_WIDTH } from '../../src/train/together.ts'
import { MAX_PAIR_DISTANCE, UNITS_PER_PAIR } from '../../src/windows.ts'
import { SPARK, sparkPython } from './python.ts'

// packages/trainer-bridge/spark by itself: lint, format, types and its own tests.

const INSTALL_MS = 1_200_000
let spark: Awaited<ReturnType<typeof sparkPython>>
beforeAll(async () => {
  spark = await sparkPython()
}, INSTALL_MS)

async function python(context: TestContext, ...args: string[]): Promise<string> {
  const found = spark
  if ('missing' in found) {
    if (process.env['CI']) throw new Error(found.missing)
    return context.skip(found.missing)
  }
  // What failed is on standard output; an error of execFile shows standard error alone.
  const { stdout } = await promisify(execFile)(found.python, args, {
    cwd: SPARK,
    env: { ...process.env, ...found.env, PYTHONDONTWRITEBYTECODE: '1', PYTHONPATH: SPARK },
  }).catch((error: { stdout?: string; stderr?: string }) => {
    throw new Error(`${args.join(' ')}: ${error.stdout ?? ''}${error.stderr ?? ''}`)
  })
  return stdout
}

test('ruff finds nothing', async (context) => {
  expect(await python(context, '-m', 'ruff', 'check', '--no-cache', '.')).toContain('All checks passed')
  await python(context, '-m', 'ruff', 'format', '--no-cache', '--check', '.')
}, 120_000)

test('mypy --strict finds nothing', async (context) => {
  expect(await python(context, '-m', 'mypy', '--cache-dir=/dev/null')).toContain('Success: no issues found')
}, 300_000)

test('pytest passes: visits and counts by hand, Adam and rates against PyTorch’s own, two processes against one', async (context) => {
  expect(await python(context, '-m', 'pytest')).toMatch(/\d{2} passed/)
}, 600_000)

test('features, kinds and pairs have the names, order and bounds of the TypeScript that defines them', async (context) => {
  const program =
    'import json; from attune_spark import features, history, counts; ' +
    'print(json.dumps([features.FEATURE_NAMES, features.CONTEXT_NAMES, history.HISTORY_KINDS, ' +
    'counts.MAX_PAIR_DISTANCE, counts.UNITS_PER_PAIR, counts.MAX_BASKET, counts.TOGETHER_WIDTH, ' +
    '[history.HISTORY_KINDS[kind] for kind in counts.BASKET_KINDS]]))'
  const names: unknown = JSON.parse(await python(context, '-c', program))
  expect(names).toEqual([
    FEATURE_NAMES,
    CONTEXT_NAMES,
    HISTORY_KINDS,
    MAX_PAIR_DISTANCE,
    UNITS_PER_PAIR,
    MAX_BASKET,
    TOGETHER_WIDTH,
    HISTORY_KINDS.filter((kind) => isBasketStep({ kind })),
  ])
})

test('candidates, features and scores of Python are core’s: an epoch of 3,000 random items passes its golden vectors', async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'attune-random-'))
  try {
    await python(context, join('tests', 'random_artifact.py'), folder)
    const artifact = await readArtifact(folder)
    const model = modelOf(artifact)
    const bytes = artifact.files.get(artifact.manifest.files.golden?.sha256 ?? '') ?? new Uint8Array()
    const golden = parseGolden(bytes)
    expect(golden.rank.map(({ top }) => top.length).filter((length) => length < 10)).toEqual([])
    const serving = servingModel(model, nodeScanner)
    await checkGolden(serving, golden, coreEngine(model.weights), new CandidateSet())
    // The rest of a vector of the ranker is core's too: which candidates, in which order, with which features.
    const { context: told, ...vector } = golden.ranker[0] ?? {
      context: [],
      candidates: [],
      items: [],
      features: [],
    }
    const rows = vector.items.map((id) => serving.rowOf(id) ?? -1)
    const history = { rows, kinds: rows.map(() => 0), ages: rows.map(() => 0), visitStart: 0 }
    const candidates = vector.candidates.map((id) => serving.rowOf(id) ?? -1)
    const input = await rankerInput(
      serving,
      history,
      coreEngine(model.weights),
      candidates,
      [],
      new CandidateSet(),
    )
    expect(Array.from(input.context)).toEqual(told.map((value) => expect.closeTo(value, 5) as number))
    const features = Array.from(input.features)
    expect(features).toEqual(vector.features.flat().map((value) => expect.closeTo(value, 4) as number))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}, 120_000)

test('every package of the tests is pinned', async () => {
  const lines = (await readFile(join(SPARK, 'tests', 'requirements.txt'), 'utf8')).split('\n')
  const packages = lines.filter((line) => line !== '' && !line.startsWith('#'))
  expect(packages.filter((line) => !/^[\w.-]+==[\w.]+$/.test(line))).toEqual([])
})
