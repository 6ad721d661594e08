import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { seededRandom } from '@attune/core/testing'
import {
  buildArtifact,
  loadSessions,
  nodeScanner,
  readArtifact,
  trainLocal,
  writeArtifact,
  type Artifact,
  type TrainingData,
  type TrainProgress,
} from '@attune/trainer-bridge'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const TRAINER = join(ROOT, 'packages', 'trainer-bridge')
const OPTIONS = { seed: 1 }

export interface Cached {
  readonly artifact: Artifact
  /** Seconds the training took, when it was done. */
  readonly trainS: number
}

/**
 * The artifact trained on `DIR/train.txt.gz`: from `.cache/` when the same data, options and trainer made one before; a
 * training that was interrupted goes on from its last checkpoint.
 */
export async function trainedArtifact(data: string): Promise<Cached> {
  return trainedOn(await loadSessions(data))
}

/** The same for visits in memory. */
export async function trainedOn(data: TrainingData): Promise<Cached> {
  const key = await digest(data)
  const folder = join(ROOT, '.cache', 'replay', key)
  const done = join(folder, 'trained.json')
  const known = await readFile(done, 'utf8').catch(() => undefined)
  if (known !== undefined) {
    console.error(`model of this data and trainer is cached in ${folder}`)
    return { artifact: await readArtifact(folder), trainS: (JSON.parse(known) as { trainS: number }).trainS }
  }
  await mkdir(folder, { recursive: true })
  const clock = join(folder, 'seconds')
  const before = Number(await readFile(clock, 'utf8').catch(() => '0'))
  const started = performance.now()
  const seconds = () => before + (performance.now() - started) / 1_000
  let shown = 0
  const model = await trainLocal(data, {
    ...OPTIONS,
    checkpointFolder: join(folder, 'checkpoints'),
    onProgress: (progress) => {
      if (performance.now() - shown < 2_000) return
      shown = performance.now()
      show(progress)
      void writeFile(clock, String(seconds()))
    },
  })
  const trainS = seconds()
  const artifact = await buildArtifact(model, {
    epoch: 1,
    parent: null,
    created: new Date().toISOString(),
    trainer: 'local/0.1.0',
    ...(model.metrics !== undefined && { gate: { ...model.metrics } }),
    makeScanner: nodeScanner,
    random: seededRandom(1),
  })
  await writeArtifact(folder, artifact)
  await rm(join(folder, 'checkpoints'), { recursive: true, force: true })
  await writeFile(`${done}.tmp`, JSON.stringify({ trainS }))
  await rename(`${done}.tmp`, done)
  return { artifact, trainS }
}

function show({ phase, iteration, iterations, loss, hr20, secondsLeft }: TrainProgress): void {
  const parts = [
    `training ${phase} ${iteration.toFixed(2)}/${iterations}`,
    loss === undefined ? '' : `loss ${loss.toFixed(3)}`,
    hr20 === undefined ? '' : `validation HR@20 ${hr20.toFixed(3)}`,
    secondsLeft === undefined ? '' : `${Math.round(secondsLeft)} s left`,
  ]
  console.error(parts.filter(Boolean).join(', '))
}

/** Of the data, the options and everything that trains. */
async function digest({ ids, offsets, rows }: TrainingData): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify([OPTIONS, ids]))
  hash.update(offsets).update(rows)
  for (const folder of [join(TRAINER, 'src', 'train'), join(TRAINER, 'kernels')]) {
    const names = (await readdir(folder)).filter((name) => name.endsWith('.ts') && !name.includes('.test.'))
    for (const name of names.sort()) hash.update(await readFile(join(folder, name)))
  }
  return hash.digest('hex').slice(0, 16)
}

/** Name of a data set: its folder's. */
export function datasetOf(data: string): string {
  return data.replace(/\/+$/, '').slice(dirname(data.replace(/\/+$/, '')).length + 1)
}
