import { execFileSync } from 'node:child_process'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { parseGolden } from '@attune/core/artifact'
import { CandidateSet, checkGolden, coreEngine } from '@attune/core/rank'
import {
  localSubmitter,
  modelOf,
  nodeScanner,
  readArtifact,
  servingModel,
  sparkTrainer,
  type Submitter,
  type TrainedModel,
  type TrainingData,
} from '@attune/trainer-bridge'

const CONFORMANCE = fileURLToPath(
  new URL('../../packages/trainer-bridge/conformance/spark/', import.meta.url),
)

export interface SparkHere {
  readonly python: string
  readonly submit: string
  readonly scripts: string
  readonly env: Readonly<Record<string, string>>
}

/** Python, Spark and PyTorch of the tests; installed by the first call on a machine. */
export function sparkHere(): SparkHere {
  const strip = ['--conditions=@attune/source', '--experimental-strip-types', '--no-warnings']
  const text = execFileSync(process.execPath, [...strip, join(CONFORMANCE, 'print-python.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return JSON.parse(text.toString().trim().split('\n').at(-1) ?? '') as SparkHere
}

export interface Usage {
  readonly wall: number
  readonly cpu: number
  readonly rss_mb: number
}

/** Starts steps on this machine. @returns with what each took, Java and all processes of Python together */
export async function measuredSubmitter(
  { python, submit, scripts, env }: SparkHere,
  folder: string,
): Promise<{ submitter: Submitter; usage: Usage[] }> {
  const usage: Usage[] = []
  const wrapped = join(folder, 'spark-submit')
  const measured = join(scripts, 'tests', 'measured.py')
  await writeFile(wrapped, `#!/bin/sh\nexec "${python}" "${measured}" "${submit}" "$@"\n`)
  await chmod(wrapped, 0o755)
  const submitter = localSubmitter({
    master: 'local[2]',
    scripts,
    submit: wrapped,
    python,
    conf: {
      'spark.ui.enabled': 'false',
      'spark.driver.bindAddress': '127.0.0.1',
      'spark.driver.host': '127.0.0.1',
      'spark.driver.memory': '3g',
      'spark.sql.shuffle.partitions': '8',
      'spark.python.authenticate.socketTimeout': '180s',
    },
    env,
  })
  return {
    usage,
    submitter: {
      ...submitter,
      run: (steps, options = {}) =>
        submitter.run(steps, {
          ...options,
          onEvent: (event) => {
            if (event.type === 'line' && event.line.startsWith('{"wall"'))
              usage.push(JSON.parse(event.line) as Usage)
            else if (event.type === 'line' && event.line.includes('attune: '))
              console.error(`${event.step}: ${event.line}`)
            options.onEvent?.(event)
          },
        }),
    },
  }
}

/** The golden vectors of Python, reproduced by core as an edge does before it serves. */
async function checkLists(folder: string): Promise<void> {
  const artifact = await readArtifact(folder)
  const model = modelOf(artifact)
  const golden = artifact.files.get(artifact.manifest.files.golden?.sha256 ?? '') ?? new Uint8Array()
  const serving = servingModel(model, nodeScanner)
  await checkGolden(serving, parseGolden(golden), coreEngine(model.weights), new CandidateSet())
}

/** Visits → a model through prepare, train in two processes, and export, as `attune train --trainer spark` does it. */
export async function trainOnSpark(
  { ids, offsets, rows }: TrainingData,
  options: { readonly iterations: number; readonly seed: number },
): Promise<{ model: TrainedModel; usage: readonly Usage[] }> {
  const folder = await mkdtemp(join(tmpdir(), 'attune-bench-spark-'))
  try {
    const lines = Array.from({ length: offsets.length - 1 }, (_, visit) =>
      Array.from(rows.subarray(offsets[visit], offsets[visit + 1]), (row) => ids[row] ?? '').join(' '),
    )
    const input = join(folder, 'train.txt.gz')
    await writeFile(input, gzipSync(lines.join('\n')))
    const { submitter, usage } = await measuredSubmitter(sparkHere(), folder)
    const plan = { source: { source: 'visits', input }, work: join(folder, 'work'), ...options }
    const { model } = await sparkTrainer({ submitter, plan }).train()
    await checkLists(join(folder, 'work', 'artifact'))
    return { model, usage }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
