import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { seededRandom } from '@attune/core/testing'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { buildArtifact } from '../artifact/build.ts'
import { listEpochs, readArtifact, writeArtifact } from '../artifact/folder.ts'
import { cli } from '../testing/cli.ts'
import { nodeScanner } from '../train/node-scanner.ts'
import { ringVisits } from '../train/testing/small-model.ts'
import { localTrainer } from './trainer.ts'

// The way through the command with a program in the place of spark-submit; conformance/spark runs the real one.

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attune-spark-cli-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** Visits of a ring of 30 items in `train.txt.gz`, and a model of them as export.py would leave it. */
async function stage(): Promise<string> {
  const data = ringVisits(30, 400, 2)
  const lines = Array.from({ length: data.offsets.length - 1 }, (_, visit) =>
    Array.from(
      data.rows.subarray(data.offsets[visit], data.offsets[visit + 1]),
      (row) => data.ids[row] ?? '',
    ).join(' '),
  )
  await writeFile(join(folder, 'train.txt.gz'), gzipSync(lines.join('\n')))
  const { model } = await localTrainer(data, { iterations: 2, threads: 1 }).train()
  const made = join(folder, 'made')
  await writeArtifact(
    made,
    await buildArtifact(model, {
      epoch: 1,
      parent: null,
      created: new Date(0).toISOString(),
      trainer: 'spark/0.1.0',
      gate: { ...model.metrics, through: '2026-01-02T03:04:05.000Z' },
      makeScanner: nodeScanner,
      random: seededRandom(1),
    }),
  )
  await writeFile(join(folder, 'held.txt.gz'), gzipSync(lines.slice(-40).join('\n')))
  const submit = join(folder, 'spark-submit')
  await writeFile(
    submit,
    `#!/bin/sh
echo "$@" >> ${folder}/calls
for last; do :; done
case "$*" in
  *train.py*) echo 'attune: {"phase":"rebuild","iteration":1,"iterations":2,"loss":3.5,"hr20":null}' ;;
  *export.py*) mkdir -p "$last/held-out"; cp -r ${made}/* "$last"; cp ${folder}/held.txt.gz "$last/held-out/train.txt.gz" ;;
esac
`,
  )
  await chmod(submit, 0o755)
  return submit
}

test('attune train --trainer spark: three programs run, the artifact is taken over, the second one has to pass the gate', async () => {
  const submit = await stage()
  const out = join(folder, 'model')
  const args = ['train', '--trainer', 'spark', '--master', 'local[2]', '--spark-submit', submit, '--out', out]
  const first = await cli([...args, '--data', folder, '--iterations', '2', '--json'])
  expect(first).toMatchObject({ code: 0 })
  expect(JSON.parse(first.out)).toMatchObject({ epoch: 1, items: 30, gate: { verdict: 'first' } })
  expect((await readArtifact(out)).manifest.trainer).toBe('spark/0.1.0')
  const calls = (await readFile(join(folder, 'calls'), 'utf8')).trim().split('\n')
  expect(calls.map((call) => /\/(\w+)\.py /.exec(call)?.[1])).toEqual(['prepare', 'train', 'export'])
  expect(calls[0]).toContain(`--source visits --input ${join(folder, 'train.txt.gz')} --through `)
  expect(calls[1]).toContain('--iterations 2')
  expect(first.err).toContain('loss 3.500')

  // From stored events this time; now something serves, so visits are held out and compared on.
  const source = ['--source', 'source=json', '--source', 'input=/batches', '--held-out', '0.1', '--json']
  const second = await cli([...args, ...source])
  expect(second).toMatchObject({ code: 0 })
  expect(JSON.parse(second.out)).toMatchObject({ epoch: 2, gate: { verdict: 'passed', visits: 40 } })
  expect((await readArtifact(out)).manifest.gate).toMatchObject({ through: '2026-01-02T03:04:05.000Z' })
  expect(await listEpochs(out)).toEqual([1, 2])
  expect((await readFile(join(folder, 'calls'), 'utf8')).trim().split('\n')[3]).toContain(
    '--source json --input /batches',
  )
}, 120_000)

test('what is missing is said: no such trainer, no master, a cluster without a source, a host or a cluster', async () => {
  await writeFile(join(folder, 'train.txt.gz'), gzipSync('a b'))
  const train = ['train', '--trainer', 'spark', '--out', join(folder, 'model')]
  const told = async (argv: string[], env?: Record<string, string>) => {
    const { code, err } = await cli(argv, env)
    return [code, err.split('\n')[0]]
  }
  expect(await told(['train', '--trainer', 'flink', '--out', 'x'])).toEqual([
    2,
    'USAGE: --trainer: expected local or spark, received flink',
  ])
  expect(await told([...train, '--data', folder])).toEqual([2, 'USAGE: --master is missing'])
  const host = { DATABRICKS_HOST: 'adb-1.2.azuredatabricks.net', DATABRICKS_TOKEN: 't' }
  const databricks = [...train, '--master', 'databricks', '--scripts', '/Workspace/x']
  expect(await told([...databricks, '--cluster', '1', '--data', folder], host)).toEqual([
    2,
    'USAGE: --source is missing: a cluster cannot read --data of this machine',
  ])
  expect(await told([...databricks, '--data', folder])).toEqual([
    2,
    'USAGE: DATABRICKS_HOST: expected a URL, received ""',
  ])
  expect(await told([...databricks, '--source', 'source=delta'], host)).toEqual([
    2,
    'USAGE: --cluster is missing',
  ])
  expect(await told([...train, '--master', 'local[2]', '--source', 'nonsense'])).toEqual([
    2,
    'USAGE: --source nonsense: expected NAME=VALUE',
  ])
})
