import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { seededRandom } from '@attune/core/testing'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { listEpochs } from '../artifact/folder.ts'
import { cli } from '../testing/cli.ts'
import { startStagedEdge } from '../testing/staged-edge.ts'

let folder: string
const cleanup: (() => Promise<unknown>)[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attune-gate-'))
})
afterEach(async () => {
  for (const action of cleanup.splice(0)) await action()
  await rm(folder, { recursive: true, force: true })
})

/** Visits that walk 1, 2, … items on, `learnable`, or jump anywhere; from the 360th on they always walk. */
async function visits(name: string, learnable: boolean, count = 400): Promise<string> {
  const random = seededRandom(1)
  const lines = Array.from({ length: count }, (_, visit) => {
    const start = Math.floor(random() * 60)
    const anywhere = () => Math.floor(random() * 60)
    return Array.from({ length: 6 }, (_, step) =>
      learnable || visit >= 360 ? `i${(start + step) % 60}` : `i${anywhere()}`,
    ).join(' ')
  })
  const path = join(folder, name)
  await mkdir(path, { recursive: true })
  await writeFile(join(path, 'train.txt.gz'), gzipSync(lines.join('\n')))
  return path
}

const quick = ['--iterations', '1', '--threads', '1', '--held-out', '0.1']

test('an epoch trained on noise is kept aside with its report; saying why lets it out, and the reason stays in it', async () => {
  const [good, noise] = [await visits('good', true), await visits('noise', false)]
  const out = join(folder, 'model')
  const train = (data: string, more: string[] = []) =>
    cli(['train', '--data', data, '--out', out, ...quick, ...more, '--json'])
  expect((await train(good)).json()).toMatchObject({ epoch: 1, gate: { verdict: 'first', against: null } })
  const refused = await train(noise)
  expect(refused.code).toBe(1)
  expect(refused.json()).toMatchObject({ error: { code: 'GATE_FAILED' } })
  const { issues, message } = refused.json()['error'] as { issues: { path: string }[]; message: string }
  expect(issues.map(({ path }) => path)).toContain('hr20')
  expect(message).toContain('--override-gate')
  expect(await listEpochs(out)).toEqual([1])
  expect(await listEpochs(join(out, 'held'))).toEqual([2])
  const held = JSON.parse(await readFile(join(out, 'held', 'epochs', '2', 'manifest.json'), 'utf8')) as object
  expect(held).toMatchObject({ gate: { report: { verdict: 'failed', against: { epoch: 1 }, visits: 40 } } })

  const forced = await train(noise, ['--override-gate', 'the shop changed its catalogue'])
  expect(forced.json()).toMatchObject({
    epoch: 2,
    gate: { verdict: 'overridden', override: { why: 'the shop changed its catalogue' } },
  })
  // And back again, which is better than what serves now.
  const back = await train(good)
  expect(back.json()).toMatchObject({ epoch: 3, gate: { verdict: 'passed', against: { epoch: 2 } } })
}, 120_000)

test('push lets out what train has compared, compares itself given visits, and refuses an epoch nobody compared', async () => {
  const [good, noise] = [await visits('good', true), await visits('noise', false)]
  const [first, other] = [join(folder, 'first'), join(folder, 'other')]
  const key = await cli(['keys', 'generate', '--json'])
  const edge = await startStagedEdge(key.json()['public'] as { kty: string })
  cleanup.push(() => edge.close())
  const env = {
    ATTUNE_EDGES: edge.url,
    ATTUNE_PUSH_KEY: edge.pushKey,
    ATTUNE_SIGNING_KEY: JSON.stringify(key.json()['private']),
  }
  const push = (artifact: string, more: string[] = []) =>
    cli(['push', '--artifact', artifact, ...more, '--json'], env)
  await cli(['train', '--data', good, '--out', first, ...quick])
  expect((await push(first)).code).toBe(0)
  // Trained somewhere else: nothing says how it compares with what the edge serves.
  await cli(['train', '--data', noise, '--out', other, ...quick])
  const unknown = await push(other)
  expect([unknown.code, unknown.json()]).toMatchObject([1, { error: { code: 'GATE_MISSING' } }])
  // Visits it was trained on cannot tell; 40 that came later can.
  const against = ['--held-out', '0.1', '--against', first]
  const seen = await push(other, ['--data', noise, ...against])
  expect([seen.code, seen.json()]).toMatchObject([1, { error: { code: 'GATE_DATA_SEEN' } }])
  const compared = await push(other, ['--data', await visits('grown', false, 440), ...against])
  expect([compared.code, compared.json()]).toMatchObject([1, { error: { code: 'GATE_FAILED' } }])
  expect(await listEpochs(join(other, 'held'))).toEqual([1])
  expect(edge.model?.epoch).toBe(1)
  const forced = await push(other, ['--override-gate', 'for a test'])
  expect(forced.json()).toMatchObject({ epoch: 2, gate: { verdict: 'overridden' } })
  expect(forced.err).toContain('gate overridden: for a test')
  expect(edge.model?.manifest.gate).toMatchObject({ report: { override: { why: 'for a test' } } })
}, 120_000)
