import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readSafetensors, writeSafetensors, type Tensor, type TensorData } from '@attune/core/artifact'
import type { TrainingData } from './data.ts'
import { TrainError } from './errors.ts'

/** What is known besides the tensors. */
export interface CheckpointNotes {
  /** One a finished iteration. */
  readonly losses: readonly number[]
  /** HR@20 and MRR@20 on held-out visits, one a finished iteration; none where nothing is held out. */
  readonly hr20s: readonly number[]
  readonly mrr20s: readonly number[]
}

/** Keeps the state of one training after every iteration. */
export interface Checkpoints {
  /** Fills `state` in place. @returns undefined when there is none of this training */
  load(state: Readonly<Record<string, TensorData>>): CheckpointNotes | undefined
  save(state: Readonly<Record<string, TensorData>>, notes: CheckpointNotes): void
  remove(): void
}

/**
 * Checkpoints of one training in a folder, one file replaced in one step, so a kill leaves the one before.
 *
 * @param name - what is trained, part of the file's name
 * @param key - of data and options; a checkpoint of another training is ignored
 */
export function folderCheckpoints(folder: string, name: string, key: string): Checkpoints {
  const file = join(folder, `${name}.checkpoint`)
  return {
    load: (state) => {
      let bytes: Uint8Array
      try {
        bytes = readFileSync(file)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
        throw error
      }
      const newline = bytes.indexOf(10)
      let head: { key?: unknown; notes?: CheckpointNotes; sha256?: unknown }
      try {
        head = JSON.parse(new TextDecoder().decode(bytes.subarray(0, newline))) as typeof head
      } catch (cause) {
        throw new TrainError(
          'TRAIN_CHECKPOINT_UNREADABLE',
          `${file}: no checkpoint; remove it to start afresh`,
          { cause },
        )
      }
      if (head.key !== key || head.notes === undefined) return undefined
      const body = bytes.slice(newline + 1)
      if (digest(body) !== head.sha256) {
        throw new TrainError('TRAIN_CHECKPOINT_UNREADABLE', `${file}: damaged; remove it to start afresh`)
      }
      const tensors = readSafetensors(body)
      for (const [part, values] of Object.entries(state)) {
        const tensor = tensors.get(part)
        if (tensor?.data.length !== values.length) {
          throw new TrainError(
            'TRAIN_CHECKPOINT_UNREADABLE',
            `${file}: ${part} is missing or of another size`,
          )
        }
        values.set(tensor.data)
      }
      return head.notes
    },
    save: (state, notes) => {
      mkdirSync(folder, { recursive: true })
      const tensors = Object.entries(state).map(([part, data]): [string, Tensor] => [
        part,
        { shape: [data.length], data },
      ])
      const body = writeSafetensors(Object.fromEntries(tensors))
      const head = `${JSON.stringify({ key, notes, sha256: digest(body) })}\n`
      writeFileSync(`${file}.new`, Buffer.concat([Buffer.from(head), body]))
      renameSync(`${file}.new`, file)
    },
    remove: () => rmSync(file, { force: true }),
  }
}

/** Tells one training from another: its visits and whatever options change the result. */
export function trainingKey(data: TrainingData, options: unknown): string {
  const hash = createHash('sha256').update(JSON.stringify([data.ids, options]))
  for (const array of [data.offsets, data.rows, data.kinds, data.times]) {
    if (array !== undefined) hash.update(new Uint8Array(array.buffer, array.byteOffset, array.byteLength))
  }
  return hash.digest('hex')
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
