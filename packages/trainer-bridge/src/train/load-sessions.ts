import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { createGunzip } from 'node:zlib'
import type { TrainingData } from './data.ts'
import { TrainError } from './errors.ts'

/** Prefixes of test visits and what came next. P prefixes. */
export interface TestPrefixes {
  /** [P]: item ids, oldest first */
  readonly histories: readonly (readonly string[])[]
  /** [P]: may be an item training never saw */
  readonly targets: readonly string[]
  /** [P]: of each step; clicks when absent */
  readonly kinds?: readonly (readonly number[])[]
  /** [P]: of each step, milliseconds; order only when absent */
  readonly times?: readonly (readonly number[])[]
}

/**
 * `DIR/train.txt.gz`: a visit a line, item ids separated by spaces, oldest visit first. Read as a stream. With it, where
 * `attune import` found any, the baskets of `DIR/baskets.txt.gz`.
 *
 * @param limit - only the newest so many visits
 * @param file - another of the same format
 * @throws {TrainError} `TRAIN_DATA_TOO_SMALL` when there is no visit
 */
export async function loadSessions(
  folder: string,
  limit: number = Infinity,
  file: string = 'train.txt.gz',
): Promise<TrainingData> {
  const ids: string[] = []
  const rowOf = new Map<string, number>()
  const offsets = [0]
  const rows: number[] = []
  for await (const line of linesOf(join(folder, file))) {
    for (const id of line.split(' ')) {
      let row = rowOf.get(id)
      if (row === undefined) {
        row = ids.length
        rowOf.set(id, row)
        ids.push(id)
      }
      rows.push(row)
    }
    offsets.push(rows.length)
  }
  if (rows.length === 0) throw new TrainError('TRAIN_DATA_TOO_SMALL', `${folder}/${file}: no visit`)
  const from = Math.max(0, offsets.length - 1 - limit)
  const start = offsets[from] ?? 0
  return {
    ids,
    offsets: Uint32Array.from(offsets.slice(from), (offset) => offset - start),
    rows: Uint32Array.from(rows.slice(start)),
    ...(await loadBaskets(join(folder, 'baskets.txt.gz'), rowOf)),
  }
}

/** Items that no visit has are left out. */
async function loadBaskets(
  file: string,
  rowOf: ReadonlyMap<string, number>,
): Promise<Pick<TrainingData, 'baskets'>> {
  if (!(await stat(file).catch(() => undefined))) return {}
  const baskets: number[][] = []
  for await (const line of linesOf(file)) {
    const basket = line.split(' ').flatMap((id) => rowOf.get(id) ?? [])
    if (basket.length > 1) baskets.push(basket)
  }
  return { baskets }
}

/** `DIR/test-prefixes.txt.gz`: prefix, TAB, next item. @throws {TrainError} `TRAIN_DATA_MALFORMED` */
export async function loadPrefixes(folder: string, limit: number = Infinity): Promise<TestPrefixes> {
  const histories: string[][] = []
  const targets: string[] = []
  for await (const line of linesOf(join(folder, 'test-prefixes.txt.gz'))) {
    if (targets.length >= limit) break
    const [prefix, target] = line.split('\t')
    if (prefix === undefined || target === undefined) {
      throw new TrainError(
        'TRAIN_DATA_MALFORMED',
        `${folder}/test-prefixes.txt.gz, line ${targets.length + 1}: expected prefix, TAB, item`,
      )
    }
    histories.push(prefix.split(' '))
    targets.push(target)
  }
  return { histories, targets }
}

/** Lines of a gzip file that are not empty. */
async function* linesOf(file: string): AsyncGenerator<string> {
  if (!(await stat(file).catch(() => undefined))) {
    throw new TrainError(
      'TRAIN_DATA_MISSING',
      `${file}: there is no such file; \`attune import --file CLICKS --out ${dirname(file)}\` writes train.txt.gz, README.md says what is in the others`,
    )
  }
  const source = createReadStream(file)
  const text = source.pipe(createGunzip())
  // A pipe does not carry errors on.
  source.on('error', (error) => text.destroy(error))
  for await (const line of createInterface({ input: text, crlfDelay: Infinity })) {
    if (line !== '') yield line
  }
}
