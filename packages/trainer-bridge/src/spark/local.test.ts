import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { localSubmitter } from './local.ts'
import type { SparkEvent } from './submitter.ts'

// What a program that is started may do; conformance/spark starts the real spark-submit.

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attune-submit-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function program(text: string): Promise<string> {
  const path = join(folder, 'spark-submit')
  await writeFile(path, `#!/bin/sh\n${text}\n`)
  await chmod(path, 0o755)
  return path
}

const submitter = (submit: string) =>
  localSubmitter({ master: 'local[2]', scripts: '/spark', submit, conf: { 'spark.ui.enabled': 'false' } })

test('a step is spark-submit with master, settings, program and arguments; lines of both streams are told', async () => {
  const submit = await program(`echo "$@" > ${folder}/args; echo out; echo err >&2`)
  const events: SparkEvent[] = []
  await submitter(submit).run([{ name: 'train', args: ['--input', 'a b'] }], {
    onEvent: (event) => events.push(event),
  })
  expect((await readFile(join(folder, 'args'), 'utf8')).trim()).toBe(
    '--master local[2] --conf spark.ui.enabled=false /spark/train.py --input a b',
  )
  expect(events.map((event) => (event.type === 'line' ? event.line : event.state)).sort()).toEqual([
    'err',
    'out',
    'running',
    'succeeded',
  ])
})

test('a step that fails says the job’s own reason, and the next one is not started', async () => {
  const submit = await program(
    `echo started >> ${folder}/count; echo 'attune: {"error":{"code":"PREPARE_TOO_SMALL","message":"PREPARE_TOO_SMALL: expected at least 20 visits"}}'; exit 1`,
  )
  const steps = [
    { name: 'prepare', args: [] },
    { name: 'train', args: [] },
  ] as const
  await expect(submitter(submit).run(steps)).rejects.toMatchObject({
    code: 'SPARK_JOB_FAILED',
    message: 'prepare ended with 1: PREPARE_TOO_SMALL: expected at least 20 visits',
  })
  expect(await readFile(join(folder, 'count'), 'utf8')).toBe('started\n')
})

test('an aborted step is ended with everything it started', async () => {
  const submit = await program(`sleep 600 & echo $! > ${folder}/child; echo ready; wait`)
  const controller = new AbortController()
  const run = submitter(submit).run([{ name: 'prepare', args: [] }], {
    signal: controller.signal,
    onEvent: (event) => event.type === 'line' && controller.abort(),
  })
  await expect(run).rejects.toMatchObject({ code: 'SPARK_ABORTED' })
  const child = Number(await readFile(join(folder, 'child'), 'utf8'))
  // Gone, or a zombie that its new parent has not asked for yet.
  await expect
    .poll(() =>
      readFile(`/proc/${child}/stat`, 'utf8').then(
        (text) => text.includes(') Z '),
        () => true,
      ),
    )
    .toBe(true)
})

test('a spark-submit that is not there is said, with what to do', async () => {
  await expect(submitter(join(folder, 'none')).run([{ name: 'prepare', args: [] }])).rejects.toMatchObject({
    code: 'SPARK_MISSING',
    message: expect.stringContaining('pip install pyspark') as string,
  })
})

test('a folder that the job did not write cannot be collected', async () => {
  await expect(submitter('x').collect(join(folder, 'none'), folder)).rejects.toMatchObject({
    code: 'SPARK_RESULT_MISSING',
  })
})
