import { setTimeout as sleep } from 'node:timers/promises'
import { seededRandom } from '@attune/core/testing'
import { beforeAll, expect, test } from 'vitest'
import { buildArtifact, type TestArtifact } from '../testing/artifact.ts'
import { endlessEncoderGraph, swellingEncoderGraph, tediousEncoderGraph } from '../testing/open-graphs.ts'
import { createNodeTrial } from './trial-node.ts'
import type { UntriedGraphs } from './trial.ts'

let artifact: TestArtifact

beforeAll(async () => {
  artifact = await buildArtifact(seededRandom(1), { items: 50, epoch: 1 })
})

const graphs = (encoder = artifact.files.get('encoder')): UntriedGraphs => ({
  manifest: artifact.manifest,
  encoder: encoder ?? new Uint8Array(),
  ranker: artifact.files.get('ranker') ?? new Uint8Array(),
})

test('our own graphs pass, and are not tried again', async () => {
  const trial = createNodeTrial()
  await trial(graphs())
  const started = performance.now()
  await trial(graphs())
  // A thread that loads ONNX Runtime takes a hundred times as long.
  expect(performance.now() - started).toBeLessThan(5)
})

test('a graph that loops for ever is ended, and nothing waits for it meanwhile', async () => {
  const { dim, historyLength } = artifact.manifest
  const settled = new AbortController()
  const trying = createNodeTrial(1_000)(graphs(endlessEncoderGraph(dim, historyLength))).finally(() => {
    settled.abort()
  })
  trying.catch(() => undefined)
  let longest = 0
  for (let last = performance.now(); !settled.signal.aborted; last = performance.now()) {
    await sleep(5)
    longest = Math.max(longest, performance.now() - last)
  }
  await expect(trying).rejects.toMatchObject({
    code: 'ARTIFACT_TOO_SLOW',
    message: 'graphs: expected one list of 1000 candidates within 1000 ms; they were ended',
  })
  expect(longest).toBeLessThan(500)
  // No thread goes on burning a processor: in half a second this process uses hardly any of it.
  await sleep(300)
  const before = process.cpuUsage()
  await sleep(500)
  const { user, system } = process.cpuUsage(before)
  expect(user + system).toBeLessThan(250_000)
})

test('a graph whose sizes are within bounds and whose work is not is ended too', async () => {
  const { dim, historyLength } = artifact.manifest
  await expect(createNodeTrial(1_000)(graphs(tediousEncoderGraph(dim, historyLength)))).rejects.toMatchObject(
    { code: 'ARTIFACT_TOO_SLOW' },
  )
})

test('a tensor joined to itself again and again is refused at 512 MB, before this process has them', async () => {
  const { dim, historyLength } = artifact.manifest
  const peak = () => process.resourceUsage().maxRSS / 1_024
  const before = peak()
  await expect(
    createNodeTrial(20_000)(graphs(swellingEncoderGraph(dim, historyLength))),
  ).rejects.toMatchObject({ code: 'ARTIFACT_MALFORMED', message: expect.stringMatching(/alloc/i) as string })
  expect(peak() - before).toBeLessThan(1_000)
})

test('what ONNX Runtime does not take keeps its code', async () => {
  await expect(createNodeTrial()(graphs(Uint8Array.of(1, 2, 3)))).rejects.toMatchObject({
    code: 'ARTIFACT_MALFORMED',
  })
})
