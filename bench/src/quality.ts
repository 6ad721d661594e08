import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { seededRandom } from '@attune/core/testing'
import {
  buildArtifact,
  evaluateModel,
  loadPrefixes,
  loadSessions,
  nodeScanner,
  trainLocal,
} from '@attune/trainer-bridge'
import { trainOnSpark } from './_spark.ts'
import { datasetOf } from './_train.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/**
 * Trains on `DIR/train.txt.gz` and ranks for every test prefix through the served path: int8 scan, candidates, features,
 * ONNX graphs. Nothing is chosen on test; the defaults are the same for every data set.
 *
 * Options: --data DIR (../shared/data/diginetica), --threads N (2), --iterations N (5), --sample PREFIXES (all),
 * --visits N (all; the newest), --seed N (1), --trainer local|spark; spark needs Java and Python, and
 * its figures are those of every process together.
 */
export async function run(args: string[]): Promise<Record<string, unknown>> {
  const { values } = parseArgs({
    args,
    options: {
      data: { type: 'string', default: join(ROOT, '..', 'shared', 'data', 'diginetica') },
      trainer: { type: 'string', default: 'local' },
      threads: { type: 'string', default: '2' },
      iterations: { type: 'string', default: '5' },
      seed: { type: 'string', default: '1' },
      sample: { type: 'string' },
      visits: { type: 'string' },
    },
  })
  if (values.trainer !== 'local' && values.trainer !== 'spark')
    throw new Error(`--trainer: expected local or spark, received ${values.trainer}`)
  const threads = Number(values.threads)
  const limit = (value: string | undefined) => (value === undefined ? Infinity : Number(value))
  const data = await loadSessions(values.data, limit(values.visits))
  const prefixes = await loadPrefixes(values.data, limit(values.sample))

  const started = performance.now()
  const cpu = process.cpuUsage()
  let peakRss = 0
  let shown = 0
  const watch = setInterval(() => (peakRss = Math.max(peakRss, process.memoryUsage().rss)), 250)
  const options = { iterations: Number(values.iterations), seed: Number(values.seed) }
  const spark = values.trainer === 'spark' ? await trainOnSpark(data, options) : undefined
  const model =
    spark?.model ??
    (await trainLocal(data, {
      threads,
      ...options,
      onProgress: ({ phase, iteration, iterations, loss, hr20, secondsLeft }) => {
        if (performance.now() - shown < 2_000) return
        shown = performance.now()
        const left = secondsLeft === undefined ? '?' : Math.round(secondsLeft)
        const figures = `loss ${loss?.toFixed(3) ?? '–'}, validation HR@20 ${hr20?.toFixed(3) ?? '–'}`
        console.error(`${phase} ${iteration.toFixed(2)}/${iterations}, ${figures}, ${left} s left`)
      },
    }))
  clearInterval(watch)
  const trainS = (performance.now() - started) / 1_000
  const { user, system } = process.cpuUsage(cpu)

  const artifact = await buildArtifact(model, {
    epoch: 1,
    parent: null,
    created: new Date().toISOString(),
    trainer: `${values.trainer}/0.1.0`,
    makeScanner: nodeScanner,
    random: seededRandom(1),
  })
  let bytes = 0
  for (const file of artifact.files.values()) bytes += file.length
  console.error(`ranking for ${prefixes.targets.length} prefixes`)
  const evaluation = await evaluateModel(model, prefixes, { threads, engine: 'ort' })
  const round = (value: number, digits: number) => Number(value.toFixed(digits))
  return {
    bench: 'quality',
    dataset: datasetOf(values.data),
    trainer: values.trainer,
    prefixes: evaluation.queries,
    hr20: round(evaluation.hr, 4),
    mrr20: round(evaluation.mrr, 4),
    hr20_encoder_only: round(evaluation.encoderOnly.hr, 4),
    mrr20_encoder_only: round(evaluation.encoderOnly.mrr, 4),
    validation_hr20: model.metrics?.hr20 === undefined ? null : round(model.metrics.hr20, 4),
    train_s: round(trainS, 1),
    train_cpu_s: round(spark?.usage.reduce((sum, { cpu }) => sum + cpu, 0) ?? (user + system) / 1e6, 1),
    rss_mb: Math.round(spark ? Math.max(...spark.usage.map(({ rss_mb }) => rss_mb)) : peakRss / 1e6),
    artifact_mb: round(bytes / 1e6, 1),
    infer_us: Math.round(evaluation.medianUs),
    threads,
  }
}
