import { join } from 'node:path'
import type { RankResponse, TrackedEvent } from '@attune/core'
import { sha256Hex, writeSafetensors, type FileRole, type Manifest } from '@attune/core/artifact'
import {
  CandidateSet,
  coreEngine,
  rankHistory,
  readWeights,
  ServingModel,
  TypeScriptScanner,
} from '@attune/core/rank'
import { seededRandom } from '@attune/core/testing'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createLoneEdge, type LoneEdge, type StartEdge } from '../testing/worlds.ts'
import { Api, type Answer, type OrProblem } from '../testing/api.ts'
import {
  buildArtifact,
  buildDelta,
  createSigner,
  namesOf,
  type TestArtifact,
  type TestSigner,
} from '../testing/artifact.ts'

const ITEMS = 300

/** What the door for models must do on every host, over real HTTP. */
export function describeModels(start: StartEdge): void {
  let lone: LoneEdge
  let signer: TestSigner
  let first: TestArtifact
  let api: Api

  beforeAll(async () => {
    lone = await createLoneEdge(start)
    ;({ api, signer } = lone)
    first = await buildArtifact(seededRandom(1), { items: ITEMS, epoch: 5 })
  })

  afterAll(() => lone.close())

  const clicks = (...items: string[]): TrackedEvent[] =>
    items.map((item, index) => ({
      id: crypto.randomUUID(),
      kind: 'click',
      item,
      at: Date.now() - 60_000 + index * 1_000,
    }))
  const rank = (...items: string[]) => api.rank({ recent: clicks(...items), history: 'recent' })
  const idsOf = (answer: Answer<OrProblem<RankResponse>>) => answer.body.items.map((item) => item.id)
  const serving = async () => {
    const state = (await api.models()).body.serving
    return state && { epoch: state.epoch, delta: state.delta }
  }

  test('without an epoch: alive, nothing to serve, and a rank is 503 MODEL_MISSING with Retry-After', async () => {
    expect((await api.send('GET', '/healthz')).body).toMatchObject({
      ok: true,
      epoch: null,
      delta: null,
      engine: 'none',
    })
    expect((await api.models()).body).toEqual({ serving: null, epochs: [] })
    const ready = await api.send('GET', '/readyz')
    expect([ready.status, ready.body]).toMatchObject([503, { ready: false, missing: ['model'] }])
    const answer = await rank('item-1')
    expect([answer.status, answer.body.code, answer.headers.get('retry-after')]).toEqual([
      503,
      'MODEL_MISSING',
      '1',
    ])
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
  })

  test('a manifest whose files were not uploaded is 422 ARTIFACT_FILE_MISSING', async () => {
    const answer = await api.pushManifest(signer, first.manifest)
    expect([answer.status, answer.body.code]).toEqual([422, 'ARTIFACT_FILE_MISSING'])
  })

  test('files are 201, the same files again 204, other bytes than named 422', async () => {
    expect(await api.pushFiles(first)).toEqual([201, 201, 201, 201, 201, 201, 201])
    expect(await api.pushFiles(first)).toEqual([204, 204, 204, 204, 204, 204, 204])
    const wrong = await api.push('PUT', `/v1/models/files/${'0'.repeat(64)}`, Uint8Array.of(1))
    expect([wrong.status, wrong.body.code]).toEqual([422, 'ARTIFACT_DIGEST_MISMATCH'])
    const path = await api.push('PUT', '/v1/models/files/..%2f..%2fpasswd', Uint8Array.of(1))
    expect([path.status, path.body.code]).toEqual([400, 'PATH_MALFORMED'])
  })

  test('a signed epoch serves once its golden vectors ran in ORT', async () => {
    const gate = { hr20: 0.5, report: { verdict: 'first' } }
    const answer = await api.pushManifest(signer, { ...first.manifest, gate })
    expect([answer.status, answer.body]).toEqual([200, { epoch: 5, delta: 0, through: null }])
    const models = (await api.models()).body
    expect(models.epochs).toEqual([5])
    expect(models.serving).toMatchObject({
      epoch: 5,
      delta: 0,
      items: ITEMS,
      engine: 'ort',
      created: first.manifest.created,
    })
    expect(models.gate).toEqual(gate)
  })

  test('ORT on this host and the TypeScript of core give the same 20 items, scores equal to 1e-4', async () => {
    const weights = readWeights(first.data.weights ?? new Map(), 64, 16)
    const data = { ...first.data, factors: first.data.factors.slice() }
    const model = new ServingModel(
      first.manifest,
      data,
      (dim, capacity) => new TypeScriptScanner(dim, capacity),
    )
    const random = seededRandom(7)
    for (let visit = 0; visit < 10; visit++) {
      const events = clicks(
        ...Array.from({ length: 1 + (visit % 5) }, () => `item-${Math.floor(random() * ITEMS)}`),
      )
      const history = events.map(({ item = '', at }) => ({ item, kind: 'click' as const, at }))
      const expected = await rankHistory(model, { history, k: 20 }, coreEngine(weights), new CandidateSet())
      const answer = await api.rank({ recent: events, history: 'recent', k: 20 })
      expect(answer.body.diagnostics?.engine).toBe('ort')
      expect(idsOf(answer)).toEqual(expected.rows.map((row) => `item-${row}`))
      answer.body.items.forEach((item, place) =>
        expect(Math.abs((item.score ?? NaN) - (expected.scores[place] ?? NaN))).toBeLessThan(1e-4),
      )
    }
  })

  /** A manifest like the first, one epoch on, with some files or fields changed; its files uploaded. */
  const changed = async (
    files: Partial<Record<FileRole, Uint8Array>>,
    fields: Partial<Manifest> = {},
  ): Promise<Manifest> => {
    const all = new Map(first.files)
    for (const [role, bytes] of Object.entries(files)) all.set(role as FileRole, bytes)
    const manifest = { ...first.manifest, epoch: 6, files: await namesOf(all), ...fields }
    await api.pushFiles({ ...first, files: all, manifest })
    return manifest
  }
  const goldenWith = (
    change: (golden: { rank: { top: string[] }[]; ranker: { scores: number[] }[] }) => void,
  ): Uint8Array => {
    const golden = JSON.parse(new TextDecoder().decode(first.files.get('golden'))) as Parameters<
      typeof change
    >[0]
    change(golden)
    return new TextEncoder().encode(JSON.stringify(golden))
  }

  test.each<[string, number, string, () => Promise<Answer<OrProblem<unknown>>>]>([
    [
      'no signature at all',
      401,
      'ARTIFACT_SIGNATURE_INVALID',
      () => api.push('PUT', '/v1/models/6', JSON.stringify({ ...first.manifest, epoch: 6 })),
    ],
    [
      'a signature by a key that is not trusted',
      401,
      'ARTIFACT_SIGNATURE_INVALID',
      async () => api.pushManifest(await createSigner(), { ...first.manifest, epoch: 6 }),
    ],
    [
      'a signature over another payload',
      401,
      'ARTIFACT_SIGNATURE_INVALID',
      async () => {
        const [head, , tail] = (
          await signer.sign({ ...first.manifest, epoch: 6 }, 'attune-manifest+jws')
        ).split('.')
        const payload = Buffer.from(JSON.stringify({ ...first.manifest, epoch: 7 })).toString('base64url')
        return api.push('PUT', '/v1/models/7', `${head}.${payload}.${tail}`)
      },
    ],
    [
      'algorithm none',
      401,
      'ARTIFACT_SIGNATURE_INVALID',
      () => {
        const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
        return api.push(
          'PUT',
          '/v1/models/6',
          `${part({ alg: 'none' })}.${part({ ...first.manifest, epoch: 6 })}.`,
        )
      },
    ],
    [
      'the signature of a delta',
      401,
      'ARTIFACT_SIGNATURE_INVALID',
      async () =>
        api.push(
          'PUT',
          '/v1/models/6',
          await signer.sign({ ...first.manifest, epoch: 6 }, 'attune-delta+jws'),
        ),
    ],
    [
      'a newer format',
      422,
      'ARTIFACT_VERSION_UNSUPPORTED',
      () => api.pushManifest(signer, { ...first.manifest, epoch: 6, format: 2 }),
    ],
    [
      'another epoch than in the path',
      409,
      'ARTIFACT_EPOCH_STALE',
      () => api.pushManifest(signer, { ...first.manifest, epoch: 6 }, 7),
    ],
    ['the epoch that serves', 409, 'ARTIFACT_EPOCH_STALE', () => api.pushManifest(signer, first.manifest)],
    [
      'an older epoch',
      409,
      'ARTIFACT_EPOCH_STALE',
      () => api.pushManifest(signer, { ...first.manifest, epoch: 4 }),
    ],
    [
      'more items than its tensors have',
      422,
      'ARTIFACT_SHAPE_MISMATCH',
      async () => api.pushManifest(signer, await changed({}, { items: ITEMS + 1 })),
    ],
    [
      'a length in the manifest that its file has not',
      422,
      'ARTIFACT_DIGEST_MISMATCH',
      async () => {
        const manifest = await changed({})
        const factors = { ...(manifest.files.factors ?? { sha256: '' }), bytes: 1 }
        return api.pushManifest(signer, { ...manifest, files: { ...manifest.files, factors } })
      },
    ],
    [
      'a factors file cut short',
      422,
      'ARTIFACT_MALFORMED',
      async () =>
        api.pushManifest(
          signer,
          await changed({ factors: (first.files.get('factors') ?? new Uint8Array()).slice(0, 1_000) }),
        ),
    ],
    [
      'a file that is not a graph as encoder',
      422,
      'ARTIFACT_MALFORMED',
      async () =>
        api.pushManifest(signer, await changed({ encoder: new TextEncoder().encode('not a graph') })),
    ],
    [
      'the ranker as encoder',
      422,
      'ARTIFACT_SHAPE_MISMATCH',
      async () =>
        api.pushManifest(signer, await changed({ encoder: first.files.get('ranker') ?? new Uint8Array() })),
    ],
    [
      'a feature this edge does not know',
      422,
      'ARTIFACT_FEATURE_UNKNOWN',
      async () => api.pushManifest(signer, await changed({}, { features: ['weather'] })),
    ],
    [
      'golden scores that are off by 0.01',
      422,
      'ARTIFACT_GOLDEN_MISMATCH',
      async () => {
        const golden = goldenWith(({ ranker }) => {
          if (ranker[3]?.scores[2] !== undefined) ranker[3].scores[2] += 0.01
        })
        return api.pushManifest(signer, await changed({ golden }))
      },
    ],
    [
      'a golden list in another order',
      422,
      'ARTIFACT_GOLDEN_MISMATCH',
      async () =>
        api.pushManifest(signer, await changed({ golden: goldenWith(({ rank }) => rank[0]?.top.reverse()) })),
    ],
  ])('a manifest with %s is %i %s, and the old epoch keeps serving', async (_, status, code, push) => {
    const before = idsOf(await rank('item-3', 'item-9'))
    const answer = await push()
    expect([answer.status, answer.body.code]).toEqual([status, code])
    expect(answer.body).toMatchObject({ epoch: 5, delta: 0, requestId: expect.any(String) as string })
    expect(await serving()).toEqual({ epoch: 5, delta: 0 })
    expect(idsOf(await rank('item-3', 'item-9'))).toEqual(before)
  })

  const popular = (row: number) => ({
    popularity: { rows: Uint32Array.of(row), popularity: Float32Array.of(1e6), trend: Float32Array.of(1e6) },
  })
  const put = async (delta: number, body: Uint8Array<ArrayBuffer>, epoch = 5) =>
    api.push<{ epoch: number; delta: number; through: string | null }>(
      'PUT',
      `/v1/models/${epoch}/deltas/${delta}`,
      body,
    )

  test('the next delta counts at once, told again it changes nothing', async () => {
    const body = await buildDelta(signer, first.manifest, 1, popular(42), { through: '0:-1#7' })
    expect(await put(1, body)).toMatchObject({ status: 200, body: { epoch: 5, delta: 1, through: '0:-1#7' } })
    expect(await put(1, body)).toMatchObject({ status: 200, body: { epoch: 5, delta: 1, through: '0:-1#7' } })
    const list = await api.rank({ strategy: 'trending', k: 3 })
    expect([list.body.delta, list.body.items[0]?.id]).toEqual([1, 'item-42'])
  })

  test('a delta brings a new item, which is counted at once and can be asked about', async () => {
    const factors = Float32Array.from({ length: 64 }, (_, index) => first.data.factors[7 * 64 + index] ?? 0)
    const content = {
      factors: { rows: Uint32Array.of(ITEMS), factors },
      popularity: {
        rows: Uint32Array.of(ITEMS),
        popularity: Float32Array.of(5),
        trend: Float32Array.of(2e6),
      },
    }
    expect(
      (await put(2, await buildDelta(signer, first.manifest, 2, content, { items: ['brand-new'] }))).status,
    ).toBe(200)
    expect((await api.rank({ strategy: 'trending', k: 1 })).body.items.map((item) => item.id)).toEqual([
      'brand-new',
    ])
    const similar = await api.rank({ strategy: 'similar', item: 'brand-new', k: 200 })
    expect(idsOf(similar).length).toBe(200)
    expect(idsOf(similar)).not.toContain('brand-new')
    expect((await api.models()).body.serving).toMatchObject({ delta: 2, items: ITEMS + 1 })
  })

  test.each<[string, number, string, () => Promise<Answer<OrProblem<unknown>>>]>([
    [
      'with a gap before it',
      409,
      'DELTA_GAP',
      async () => put(4, await buildDelta(signer, first.manifest, 4, popular(1))),
    ],
    [
      'under another number',
      409,
      'DELTA_GAP',
      async () => put(3, await buildDelta(signer, first.manifest, 2, popular(1))),
    ],
    [
      'of another epoch',
      409,
      'DELTA_EPOCH_MISMATCH',
      async () => put(3, await buildDelta(signer, { ...first.manifest, epoch: 4 }, 3, popular(1)), 4),
    ],
    [
      'by a key that is not trusted',
      401,
      'ARTIFACT_SIGNATURE_INVALID',
      async () => put(3, await buildDelta(await createSigner(), first.manifest, 3, popular(1))),
    ],
    [
      'with one byte of its tensors changed',
      422,
      'ARTIFACT_DIGEST_MISMATCH',
      async () => {
        const body = await buildDelta(signer, first.manifest, 3, popular(1))
        body[body.length - 1] = (body.at(-1) ?? 0) ^ 1
        return put(3, body)
      },
    ],
    [
      'with a row past the end',
      422,
      'ARTIFACT_SHAPE_MISMATCH',
      async () => put(3, await buildDelta(signer, first.manifest, 3, popular(9_999))),
    ],
    [
      'with an item that is known',
      422,
      'ARTIFACT_MALFORMED',
      async () => put(3, await buildDelta(signer, first.manifest, 3, popular(1), { items: ['item-1'] })),
    ],
    [
      'with attributes of an item that is not known',
      422,
      'ARTIFACT_MALFORMED',
      async () =>
        put(3, await buildDelta(signer, first.manifest, 3, popular(1), { attributes: { nobody: {} } })),
    ],
    [
      'with attributes that are none',
      422,
      'ARTIFACT_MALFORMED',
      async () =>
        put(
          3,
          await buildDelta(signer, first.manifest, 3, popular(1), {
            attributes: { 'item-1': JSON.parse('{"stock":"many"}') as object } as never,
          }),
        ),
    ],
    [
      'whose tensors are of another width',
      422,
      'ARTIFACT_SHAPE_MISMATCH',
      async () => {
        const tensors = writeSafetensors({
          rows: { shape: [1], data: Uint32Array.of(1) },
          factors: { shape: [1, 32], data: new Float32Array(32) },
        })
        const header = {
          format: 1,
          epoch: 5,
          delta: 3,
          through: null,
          created: '',
          sha256: await sha256Hex(tensors),
          bytes: tensors.length,
          items: [],
        }
        const jws = new TextEncoder().encode(await signer.sign(header, 'attune-delta+jws'))
        const body = new Uint8Array(4 + jws.length + tensors.length)
        new DataView(body.buffer).setUint32(0, jws.length, true)
        body.set(jws, 4)
        body.set(tensors, 4 + jws.length)
        return put(3, body)
      },
    ],
    ['that is not one at all', 422, 'ARTIFACT_MALFORMED', () => put(3, new TextEncoder().encode('nonsense'))],
    ['that is empty', 422, 'ARTIFACT_MALFORMED', () => put(3, new Uint8Array())],
  ])('a delta %s is %i %s and changes nothing', async (_, status, code, push) => {
    const before = (await rank('item-3', 'item-9')).body.items
    const answer = await push()
    expect([answer.status, answer.body.code]).toEqual([status, code])
    expect(answer.body).toMatchObject({ epoch: 5, delta: 2 })
    expect(await serving()).toEqual({ epoch: 5, delta: 2 })
    expect((await rank('item-3', 'item-9')).body.items.map(({ id, score }) => ({ id, score }))).toEqual(
      before.map(({ id, score }) => ({ id, score })),
    )
  })

  test('after a restart the epoch, its deltas and the same list are there', async () => {
    const before = await rank('item-3', 'item-9')
    await lone.restart()
    ;({ api } = lone)
    const after = await rank('item-3', 'item-9')
    expect(after.status).toBe(200)
    expect([after.body.epoch, after.body.delta]).toEqual([5, 2])
    expect(idsOf(after)).toEqual(idsOf(before))
    expect((await api.models()).body.serving).toMatchObject({
      epoch: 5,
      delta: 2,
      through: '0:-1#7',
      items: ITEMS + 1,
    })
    await expect
      .poll(async () => (await rank('item-3')).body.diagnostics?.engine, { timeout: 20_000, interval: 200 })
      .toBe('ort')
    expect(await put(3, await buildDelta(signer, first.manifest, 3, popular(8)))).toMatchObject({
      status: 200,
      body: { delta: 3 },
    })
  })

  test('while an epoch is swapped every answer is wholly of one epoch', async () => {
    const second = await buildArtifact(seededRandom(2), { items: ITEMS, epoch: 6 })
    const events = clicks('item-3', 'item-9')
    const ask = () => api.rank({ recent: events, history: 'recent', k: 20 })
    const old = idsOf(await ask())
    await api.pushFiles(second)
    const pushed = new AbortController()
    const pushing = api.pushManifest(signer, second.manifest).finally(() => pushed.abort())
    const answers: Answer<OrProblem<RankResponse>>[] = []
    while (!pushed.signal.aborted) answers.push(...(await Promise.all([ask(), ask(), ask(), ask()])))
    expect((await pushing).status).toBe(200)
    const last = await ask()
    expect(last.body.epoch).toBe(6)
    expect(idsOf(last)).not.toEqual(old)
    for (const answer of answers) {
      expect(answer.status).toBe(200)
      expect(idsOf(answer)).toEqual(answer.body.epoch === 5 ? old : idsOf(last))
    }
    expect(answers.some((answer) => answer.body.epoch === 5)).toBe(true)
  })

  test('rollback serves the epoch before with its deltas; what was left does not come back by a push, what is newer does', async () => {
    const operate = (path: string) =>
      api.admin<{ epoch: number; delta: number }>('POST', `/v1/models/${path}`)
    expect(await serving()).toEqual({ epoch: 6, delta: 0 })
    const second = idsOf(await rank('item-3', 'item-9'))
    const back = await operate('rollback')
    expect([back.status, back.body]).toMatchObject([200, { epoch: 5, delta: 3 }])
    expect(idsOf(await rank('item-3', 'item-9'))).not.toEqual(second)
    const replayed = await buildArtifact(seededRandom(2), { items: ITEMS, epoch: 6 })
    const stale = await api.pushManifest(signer, replayed.manifest)
    expect([stale.status, stale.body.code, stale.body]).toMatchObject([
      409,
      'ARTIFACT_EPOCH_STALE',
      { epoch: 5 },
    ])
    expect(stale.body.detail).toContain('6 was left for 5')
    const forward = await operate('6/activate')
    expect([forward.status, forward.body]).toMatchObject([200, { epoch: 6, delta: 0 }])
    expect(idsOf(await rank('item-3', 'item-9'))).toEqual(second)
    await operate('rollback')
    const nowhere = await operate('rollback')
    expect([nowhere.status, nowhere.body.code, nowhere.body]).toMatchObject([
      404,
      'EPOCH_UNKNOWN',
      { epoch: 5 },
    ])
    expect((await operate('99/activate')).body.code).toBe('EPOCH_UNKNOWN')
    expect((await api.push('POST', '/v1/models/rollback')).body.code).toBe('KEY_FORBIDDEN')
    const third = await buildArtifact(seededRandom(3), { items: ITEMS, epoch: 7 })
    expect((await api.pushArtifact(signer, third)).body).toMatchObject({ epoch: 7, delta: 0 })
  })

  test('a rolled back epoch is what a restarted edge serves', async () => {
    await api.admin('POST', '/v1/models/5/activate')
    await lone.restart()
    ;({ api } = lone)
    expect((await rank('item-3')).body).toMatchObject({ epoch: 5, delta: 3 })
    await api.admin('POST', '/v1/models/7/activate')
    expect(await serving()).toEqual({ epoch: 7, delta: 0 })
  })

  test('a model whose lists take longer than the edge allows is refused', async () => {
    const strict = await start({
      ...lone.options,
      persist: join(lone.options.persist, 'strict'),
      maxRankMs: 0.000_001,
    })
    try {
      const answer = await new Api(strict.url).pushArtifact(signer, first)
      expect([answer.status, answer.body.code]).toEqual([422, 'ARTIFACT_TOO_SLOW'])
      expect((await new Api(strict.url).models()).body.serving).toBeNull()
    } finally {
      await strict.close()
    }
  })

  test.each([
    ['no key', {}, '', 401, 'KEY_MISSING'],
    ['an unknown key', { authorization: 'Bearer push_some_other_key_of_32_chars' }, '', 401, 'KEY_UNKNOWN'],
    ['a site key', { authorization: 'Bearer pk_test_site_key' }, '', 403, 'KEY_FORBIDDEN'],
    ['a site key in the query', {}, '?key=pk_test_site_key', 403, 'KEY_FORBIDDEN'],
    ['the push key in the query', {}, '?key=push_test_key_of_32_characters__', 401, 'KEY_UNKNOWN'],
  ])('a push route with %s is refused', async (_, headers, query, status, code) => {
    for (const [method, path] of [
      ['GET', '/v1/models'],
      ['PUT', '/v1/models/7'],
      ['PUT', `/v1/models/files/${'0'.repeat(64)}`],
      ['PUT', '/v1/models/6/deltas/1'],
    ] as const) {
      const answer = await api.send(method, `${path}${query}`, {
        headers: headers as Record<string, string>,
        ...(method === 'PUT' && { body: 'x' }),
      })
      expect([path, answer.status, answer.body.code]).toEqual([path, status, code])
    }
  })
}
