import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { ENCODER_DEFAULTS, loadSessions, sliceVisits, trainEncoder } from '@attune/trainer-bridge'
import { sparkHere } from './_spark.ts'
import { datasetOf } from './_train.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const CONFORMANCE = join(ROOT, 'packages', 'trainer-bridge', 'conformance')
const VALIDATION_SHARE = 0.1

/**
 * The local trainer and PyTorch side by side: the same data, model, batch, negatives, rate and iterations, on the same
 * number of threads, one after the other. Both are judged on the newest 4,096 examples of the newest tenth of visits.
 * What was trained on is told: `visits`, and `of_visits` there are.
 *
 * Options: --data DIR (../shared/data/diginetica), --iterations N (5), --threads N (2), --sample VISITS (all),
 * --ours-only. PyTorch is that of the Spark tests; the first run installs it under ~/.cache/attune, which takes minutes.
 */
export async function run(args: string[]): Promise<Record<string, unknown>> {
  const { values } = parseArgs({
    args,
    options: {
      data: { type: 'string', default: join(ROOT, '..', 'shared', 'data', 'diginetica') },
      iterations: { type: 'string', default: String(ENCODER_DEFAULTS.iterations) },
      threads: { type: 'string', default: '2' },
      sample: { type: 'string' },
      'ours-only': { type: 'boolean', default: false },
    },
  })
  const [iterations, threads] = [Number(values.iterations), Number(values.threads)]
  const all = await loadSessions(values.data)
  const total = all.offsets.length - 1
  const data = sliceVisits(all, total - Math.min(total, Number(values.sample ?? Infinity)), total)
  const visits = data.offsets.length - 1
  const trainVisits = Math.round(visits * (1 - VALIDATION_SHARE))
  const [older, newer] = [sliceVisits(data, 0, trainVisits), sliceVisits(data, trainVisits, visits)]

  const started = performance.now()
  const cpu = process.cpuUsage()
  let peakRss = 0
  const watch = setInterval(() => (peakRss = Math.max(peakRss, process.memoryUsage().rss)), 250)
  let shown = -1
  const ours = await trainEncoder(older, {
    iterations,
    threads,
    validation: newer,
    onProgress: ({ iteration, loss, hr20 }) => {
      if (!Number.isInteger(iteration) || iteration === shown) return
      shown = iteration
      console.error(
        `Attune ${iteration}/${iterations}, loss ${loss.toFixed(3)}, validation HR@20 ${hr20?.toFixed(3)}`,
      )
    },
  })
  clearInterval(watch)
  const oursS = (performance.now() - started) / 1_000
  const { user, system } = process.cpuUsage(cpu)
  const result = {
    bench: 'train',
    dataset: datasetOf(values.data),
    visits: trainVisits,
    of_visits: Math.round(total * (1 - VALIDATION_SHARE)),
    ours_s: round(oursS),
    ours_cpu_s: round((user + system) / 1e6),
    ours_rss_mb: Math.round(peakRss / 1e6),
    hr20_ours: ours.hr20,
    iterations,
    threads,
    examples: older.rows.length - trainVisits,
  }
  if (values['ours-only']) return result
  const folder = await mkdtemp(join(tmpdir(), 'attune-bench-train-'))
  try {
    await writeFile(join(folder, 'rows.u32'), data.rows)
    await writeFile(join(folder, 'offsets.u32'), data.offsets)
    const { batch, negatives, peakRate, historyLength, seed } = ENCODER_DEFAULTS
    const options = {
      items: data.ids.length,
      trainVisits,
      iterations,
      threads,
      batch,
      negatives,
      peakRate,
      historyLength,
      seed,
    }
    await writeFile(join(folder, 'data.json'), JSON.stringify(options))
    const theirs = await pytorch(folder)
    return {
      ...result,
      pytorch_s: round(theirs.seconds),
      pytorch_cpu_s: round(theirs.cpu_seconds),
      hr20_pytorch: theirs.hr20,
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function pytorch(folder: string): Promise<{ seconds: number; cpu_seconds: number; hr20: number }> {
  return new Promise((resolve, reject) => {
    const { python, env } = sparkHere()
    const child = spawn(python, [join(CONFORMANCE, 'train_pytorch.py'), folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...env },
    })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.on('error', reject)
    child.on('close', (code) => {
      const last = output.trim().split('\n').at(-1) ?? ''
      if (code === 0) resolve(JSON.parse(last) as Awaited<ReturnType<typeof pytorch>>)
      else reject(new Error(`PyTorch ended with code ${code}; what it said is above`))
    })
  })
}

function round(seconds: number): number {
  return Math.round(seconds * 10) / 10
}
