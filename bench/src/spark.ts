import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import { seededRandom } from '@attune/core/testing'
import { stepsOf } from '@attune/trainer-bridge'
import { measuredSubmitter, sparkHere } from './_spark.ts'

const START = Date.UTC(2026, 0, 1)
const ITEMS = 2_000

/**
 * How the cost of the Spark jobs grows with data: prepare and train (one iteration, two processes) on 1, 4 and 16 times so
 * many generated visitors, all other things equal. CPU is that of Java and every Python process together; `clicks` is what
 * prepare found in them, which has to be what was generated.
 *
 * Options: --visitors N (2,000 at 1×), --sizes 1,4,16.
 */
export async function run(args: string[]): Promise<Record<string, unknown>> {
  const { values } = parseArgs({
    args,
    options: {
      visitors: { type: 'string', default: '2000' },
      sizes: { type: 'string', default: '1,4,16' },
    },
  })
  const here = sparkHere()
  const folder = await mkdtemp(join(tmpdir(), 'attune-bench-spark-'))
  try {
    const rows: Record<string, number>[] = []
    for (const size of values.sizes.split(',').map(Number)) {
      const work = join(folder, `work-${size}`)
      const input = join(folder, `batches-${size}.json`)
      const clicks = await writeBatches(input, Number(values.visitors) * size)
      const { submitter, usage } = await measuredSubmitter(here, folder)
      const steps = stepsOf({ source: { source: 'json', input }, work, iterations: 1 }).slice(0, 2)
      let found = 0
      await submitter.run(steps, {
        onEvent: (event) => {
          const counted = event.type === 'line' ? /"step": "done".*"clicks": (\d+)/.exec(event.line) : null
          if (counted !== null) found = Number(counted[1])
        },
      })
      if (found !== clicks) throw new Error(`prepare found ${found} clicks, ${clicks} were generated`)
      const [prepare, train] = usage
      if (prepare === undefined || train === undefined) throw new Error('a step told no usage')
      const round = (value: number) => Math.round(value * 10) / 10
      rows.push({
        size,
        clicks,
        prepare_s: round(prepare.wall),
        prepare_cpu_s: round(prepare.cpu),
        train_s: round(train.wall),
        train_cpu_s: round(train.cpu),
      })
      console.error(JSON.stringify(rows.at(-1)))
    }
    return { bench: 'spark', items: ITEMS, rows }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Batches of visitors who walk along a ring of items: one visit each, two clicks or more. @returns clicks written */
async function writeBatches(path: string, visitors: number): Promise<number> {
  const random = seededRandom(1)
  let clicks = 0
  function* lines() {
    for (let visitor = 0; visitor < visitors; visitor++) {
      let item = Math.floor(random() * ITEMS)
      const start = START + Math.floor(random() * 30 * 86_400_000)
      const length = 2 + Math.floor(random() * 10)
      const events = Array.from({ length }, (_, step) => {
        item = (item + 1 + Math.floor(random() * 3)) % ITEMS
        return { id: `e${visitor}-${step}`, kind: 'click', item: `item-${item}`, at: start + step * 30_000 }
      })
      clicks += length
      yield `${JSON.stringify({ id: `b${visitor}`, visitor: `v${visitor}`, received: start + length * 30_000, events })}\n`
    }
  }
  await pipeline(Readable.from(lines()), createWriteStream(path))
  return clicks
}
