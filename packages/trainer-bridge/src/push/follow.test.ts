import { seededRandom } from '@attune/core/testing'
import { deltaTensors, joinDelta, sha256Hex, writeSafetensors } from '@attune/core/artifact'
import { afterEach, expect, test, vi } from 'vitest'
import { buildArtifact, manifestBytes } from '../artifact/build.ts'
import { createSigner, generateSigningKey, type Signer } from '../artifact/sign.ts'
import { sleep } from '../change-feed/sleep.ts'
import { randomTrainedModel } from '../testing/random-model.ts'
import { startStagedEdge, type StagedEdge } from '../testing/staged-edge.ts'
import { nodeScanner } from '../train/node-scanner.ts'
import { deliver } from './deliver.ts'
import { EdgeFollower, type EdgeStatus, type ReleaseSource } from './follow.ts'
import { Release, type SignedDelta, type SignedEpoch } from './release.ts'

const model = randomTrainedModel(60)
const signer = await createSigner(await generateSigningKey())
const cleanup: (() => Promise<unknown> | void)[] = []
afterEach(async () => {
  for (const action of cleanup.splice(0).reverse()) await action()
})

const CREATED = '2026-01-01T00:00:00.000Z'

async function epochOf(epoch: number, by: Signer = signer, created = CREATED): Promise<SignedEpoch> {
  const { manifest, files } = await buildArtifact(model, {
    epoch,
    parent: null,
    created,
    trainer: 'test/1',
    makeScanner: nodeScanner,
    random: seededRandom(epoch),
  })
  return {
    manifest,
    jws: await by.sign(manifestBytes(manifest), 'attune-manifest+jws'),
    file: (sha256) => Promise.resolve(files.get(sha256) ?? new Uint8Array()),
  }
}

async function deltaOf(epoch: number, delta: number): Promise<SignedDelta> {
  const popularity = {
    rows: Uint32Array.of(1),
    popularity: Float32Array.of(1_000 + delta),
    trend: Float32Array.of(1),
  }
  const tensors = writeSafetensors(deltaTensors({ popularity }, 64, 20))
  const through = `0:-1#${delta}`
  const header = {
    format: 1,
    epoch,
    delta,
    through,
    created: '2026-01-01T00:00:00.000Z',
    sha256: await sha256Hex(tensors),
    bytes: tensors.length,
    items: [],
  }
  const jws = await signer.sign(new TextEncoder().encode(JSON.stringify(header)), 'attune-delta+jws')
  return { delta, through, body: joinDelta(jws, tensors) }
}

async function edge(): Promise<StagedEdge> {
  const started = await startStagedEdge(signer.publicJwk)
  cleanup.push(() => started.close())
  return started
}

/** A source whose renewals make the next epoch. */
async function source(
  epoch = 1,
  created?: string,
): Promise<ReleaseSource & { renewed: number[]; add(delta: number): Promise<void> }> {
  let release = new Release(await epochOf(epoch, signer, created), 0)
  const renewed: number[] = []
  return {
    get release() {
      return release
    },
    renewed,
    async renew(above) {
      if (release.number > above) return
      renewed.push(above)
      release = new Release(await epochOf(above + 1), 0)
    },
    async add(delta) {
      release.add(await deltaOf(release.number, delta))
    },
  }
}

function follow(target: StagedEdge, from: ReleaseSource): { follower: EdgeFollower; seen: EdgeStatus[] } {
  const stop = new AbortController()
  const seen: EdgeStatus[] = []
  const follower = new EdgeFollower({
    target,
    source: from,
    fetch,
    signal: stop.signal,
    sleep: (ms, signal) => sleep(Math.min(ms, 50), signal),
    random: () => 0.5,
    onStatus: (status) => seen.push(status),
  })
  cleanup.push(async () => {
    stop.abort()
    await follower.running
  })
  return { follower, seen }
}

const reaches = (target: StagedEdge, epoch: number, delta: number) =>
  vi.waitFor(() => {
    expect([target.model?.epoch, target.model?.delta]).toEqual([epoch, delta])
  }, 5_000)

test('an empty edge gets the files it lacks, the epoch, then deltas in order as they come', async () => {
  const target = await edge()
  const from = await source()
  await from.add(1)
  const { follower } = follow(target, from)
  await reaches(target, 1, 1)
  await from.add(2)
  follower.wake()
  await reaches(target, 1, 2)
  expect(target.model?.popularity[1]).toBe(1_002)
  expect(target.log.filter((line) => line.startsWith('PUT')).slice(0, 9)).toEqual([
    'PUT /v1/models/1 422',
    ...Array.from({ length: 7 }, () => 'PUT /v1/models/files/… 201'),
    'PUT /v1/models/1 200',
  ])
  await vi.waitFor(() =>
    expect(follower.status).toMatchObject({ state: 'current', epoch: 1, delta: 2, through: '0:-1#2' }),
  )
  expect(from.renewed).toEqual([])
})

test('an edge that lost its model gets epoch and deltas again, without a new epoch', async () => {
  const target = await edge()
  const from = await source()
  await from.add(1)
  const { follower } = follow(target, from)
  await reaches(target, 1, 1)
  target.empty()
  await from.add(2)
  follower.wake()
  await reaches(target, 1, 2)
  expect(from.renewed).toEqual([])
})

test('an edge further on than the release, as after a lost folder, makes it a fresh epoch above the edge’s', async () => {
  const target = await edge()
  const lost = await source(7)
  await lost.add(1)
  await lost.add(2)
  follow(target, lost)
  await reaches(target, 7, 2)
  await cleanup.pop()?.()
  const from = await source(1)
  follow(target, from)
  await reaches(target, 8, 0)
  expect(from.renewed).toEqual([7])
})

test.each([0, 1, 2, 3])(
  'an edge with two deltas of another model’s epoch of the same number is sent none of our %i, but a fresh epoch',
  async (deltas) => {
    const target = await edge()
    const lost = await source(1, '2025-12-31T00:00:00.000Z')
    await lost.add(1)
    await lost.add(2)
    follow(target, lost)
    await reaches(target, 1, 2)
    await cleanup.pop()?.()
    const before = target.log.length
    const from = await source(1)
    for (let delta = 1; delta <= deltas; delta++) await from.add(delta)
    follow(target, from)
    await reaches(target, 2, 0)
    expect(from.renewed).toEqual([1])
    expect(target.log.slice(before).filter((line) => line.includes('/deltas/'))).toEqual([])
  },
)

test('an edge that lags behind what is kept in memory gets a fresh epoch', async () => {
  const target = await edge()
  const first = await source()
  follow(target, first)
  await reaches(target, 1, 0)
  await cleanup.pop()?.()
  // After a restart the release knows of 5 deltas, but has none of their bodies.
  let release = new Release(await epochOf(1), 5)
  const renewed: number[] = []
  follow(target, {
    get release() {
      return release
    },
    async renew(above) {
      renewed.push(above)
      release = new Release(await epochOf(above + 1), 0)
    },
  })
  await reaches(target, 2, 0)
  expect(renewed).toEqual([1])
})

test('503, dropped connections and wrong answers are tried again until the edge has everything, in order', async () => {
  const target = await edge()
  const from = await source()
  for (let delta = 1; delta <= 5; delta++) await from.add(delta)
  const random = seededRandom(3)
  target.stage = () => {
    const draw = random()
    if (draw < 0.2) return { status: 503, code: 'STORE_UNAVAILABLE' }
    return draw < 0.4 ? 'drop' : undefined
  }
  const { seen } = follow(target, from)
  await reaches(target, 1, 5)
  expect(seen.some(({ state }) => state === 'failing')).toBe(true)
  const applied = target.log.filter((line) => /deltas\/\d+ 200/.test(line))
  expect(applied.map((line) => Number(/deltas\/(\d+)/.exec(line)?.[1]))).toEqual([1, 2, 3, 4, 5])
})

test('an edge that hangs holds no other back', async () => {
  const slow = await edge()
  const quick = await edge()
  slow.stage = () => 'hang'
  const from = await source()
  await from.add(1)
  follow(slow, from)
  follow(quick, from)
  await reaches(quick, 1, 1)
  expect(slow.model).toBeUndefined()
})

test('a push key the edge does not know is reported as KEY_UNKNOWN', async () => {
  const target = await edge()
  const { follower } = follow({ ...target, pushKey: 'another' } as StagedEdge, await source())
  await vi.waitFor(() => {
    expect(follower.status).toMatchObject({
      state: 'failing',
      error: expect.stringContaining('KEY_UNKNOWN') as string,
    })
  })
})

test('deliver: every edge must acknowledge; the one that does not is named, the others serve', async () => {
  const good = await edge()
  const bad = await edge()
  bad.stage = (method) => (method === 'PUT' ? { status: 422, code: 'ARTIFACT_GOLDEN_MISMATCH' } : undefined)
  const delivery = deliver([good, bad], await epochOf(3), { fetch, signal: new AbortController().signal })
  await expect(delivery).rejects.toMatchObject({
    code: 'PUSH_UNACKNOWLEDGED',
    issues: [{ path: bad.url, message: expect.stringContaining('ARTIFACT_GOLDEN_MISMATCH') as string }],
  })
  expect(good.model?.epoch).toBe(3)
})
