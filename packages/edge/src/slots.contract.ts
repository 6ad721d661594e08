import type { ItemAttributes, RankResponse, TrackedEvent } from '@attune/core'
import type { TogetherRows } from '@attune/core/artifact'
import { NO_ITEM } from '@attune/core/artifact'
import type { SlotRules } from '@attune/core/rules'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildDelta } from './testing/artifact.ts'
import { PUSH_KEY, SITE, type Answer, type Api, type OrProblem } from './testing/api.ts'
import { createWorld, type StartEdge, type World } from './testing/worlds.ts'

const CATEGORIES = ['hats', 'socks', 'bags']
const rowOf = (id: string) => Number(id.slice('item-'.length))
const attributesOf = (row: number): ItemAttributes => ({
  category: CATEGORIES[row % 3] ?? '',
  price: row,
  stock: row % 5,
  tags: row % 2 === 0 ? ['eco'] : [],
  ...(row < 10 && { added: 1_790_000_000_000 + row }),
})
const categoryOf = (id: string) => attributesOf(rowOf(id))['category']

/** Rules of slots and the strategies, over real HTTP, on any host; rules come from one edge and count on another. */
export function describeSlots(start: StartEdge): void {
  let world: World
  let api: Api
  let other: Api
  let popularity: Float32Array

  beforeAll(async () => {
    world = await createWorld(start, { edges: 2 })
    ;[api, other] = world.apis as [Api, Api]
    const { data, manifest } = world.artifact
    popularity = data.popularity
    const together: TogetherRows = {
      rows: Uint32Array.of(7),
      items: Uint32Array.of(9, 12, NO_ITEM),
      scores: Uint8Array.of(255, 128, 0),
      scales: Float32Array.of(8),
      width: 3,
    }
    const attributes = Object.fromEntries(data.ids.map((id, row) => [id, attributesOf(row)]))
    const body = await buildDelta(world.signer, manifest, 1, { together }, { attributes })
    for (const edge of world.apis) {
      const answer = await edge.push('PUT', '/v1/models/1/deltas/1', body)
      expect(answer.status).toBe(200)
    }
  })

  afterAll(async () => {
    await world.close()
  })

  let clock = Date.now() - 60_000
  const event = (item: string, kind: TrackedEvent['kind'] = 'click'): TrackedEvent => ({
    id: crypto.randomUUID(),
    kind,
    item,
    at: (clock += 10),
  })
  const put = (slot: string, rules: unknown, key?: string) =>
    api.admin<{ rules: SlotRules }>('PUT', `/v1/slots/${slot}`, rules, key)
  const ids = (answer: Answer<OrProblem<RankResponse>>) => {
    expect(answer.status).toBe(200)
    return answer.body.items.map(({ id }) => id)
  }
  const recent = (...items: string[]) => ({
    recent: items.map((item) => event(item)),
    history: 'recent' as const,
  })

  test('rules put on one edge count in its next list, and within seconds on the other', async () => {
    const rules = { filter: { attr: 'category', eq: 'hats' }, minStock: 2 }
    expect(await put('hats', rules)).toMatchObject({
      status: 200,
      body: { site: 'shop', slot: 'hats', rules },
    })
    const good = (id: string) => rowOf(id) % 3 === 0 && rowOf(id) % 5 >= 2
    const list = ids(await api.rank({ slot: 'hats', ...recent('item-4', 'item-5') }))
    expect([list.length, list.every(good)]).toEqual([20, true])
    await expect
      .poll(async () => ids(await other.rank({ slot: 'hats', ...recent('item-4') })).every(good), {
        timeout: 20_000,
      })
      .toBe(true)
    expect((await other.admin('GET', '/v1/slots/hats')).body).toEqual({ site: 'shop', slot: 'hats', rules })
    expect((await api.admin('DELETE', '/v1/slots/hats')).body).toMatchObject({ deleted: true })
    expect((await api.admin('DELETE', '/v1/slots/hats')).body).toMatchObject({ deleted: false })
    expect(ids(await api.rank({ slot: 'hats', ...recent('item-4', 'item-5') })).every(good)).toBe(false)
    expect((await api.admin('GET', '/v1/slots/hats')).body.code).toBe('SLOT_UNKNOWN')
  })

  test('the tag of a list for everybody changes with every rule, and is the same on every edge', async () => {
    const asked = async (of: Api, tag = '') => {
      const answer = await fetch(`${of.url}/v1/rank?key=${SITE.key}&slot=tagged&strategy=trending&k=10`, {
        headers: { 'if-none-match': tag },
      })
      const { items = [] } = (answer.status === 200 ? await answer.json() : {}) as Partial<RankResponse>
      return { status: answer.status, tag: answer.headers.get('etag') ?? '', list: items.map(({ id }) => id) }
    }
    const minute = () => Math.floor(Date.now() / 60_000)
    // A tag changes with the minute too, which must not be what this test sees.
    const withinAMinute = async (work: () => Promise<void>): Promise<void> => {
      for (let started = -1; started !== minute();) {
        started = minute()
        await work().catch((error: unknown) => {
          if (started === minute()) throw error
        })
      }
    }
    const first = (await asked(api)).list
    const rules: [SlotRules, changes: boolean][] = [
      [{ filter: { attr: 'category', eq: 'hats' } }, true],
      [{ minStock: 4 }, true],
      [{ exclude: first.slice(0, 1) }, true],
      [{ exclude: first.slice(0, 2) }, true],
      [{ pins: [{ item: first[5] ?? '', position: 0 }] }, true],
      [{ pins: [{ item: first[6] ?? '', position: 0 }] }, true],
      [{ maxPer: [{ attr: 'category', k: 1 }] }, true],
      [{ boosts: [{ when: { attr: 'category', eq: 'bags' }, add: 50 }] }, true],
      [{ boosts: [{ when: { attr: 'category', eq: 'socks' }, add: 50 }] }, true],
      [{ diversity: { lambda: 0.5 } }, false],
      [{ explore: { epsilon: 0.5 } }, false],
    ]
    for (const [one, changes] of rules)
      await withinAMinute(async () => {
        await api.admin('DELETE', '/v1/slots/tagged')
        const before = await asked(api)
        expect((await put('tagged', one)).status).toBe(200)
        const after = await asked(api, before.tag)
        expect([one, after.status, after.tag === before.tag]).toEqual([one, 200, false])
        if (changes) expect([one, after.list]).not.toEqual([one, before.list])
        expect((await asked(api, after.tag)).status).toBe(304)
        await api.admin('DELETE', '/v1/slots/tagged')
        expect(await asked(api, before.tag)).toMatchObject({ status: 304, tag: before.tag })
      })
    await put('tagged', { minStock: 4 })
    await expect
      .poll(async () => (await asked(other, (await asked(api)).tag)).status, { timeout: 20_000 })
      .toBe(304)
    // What rules look at comes with deltas: the first of the list is sold out.
    await withinAMinute(async () => {
      const before = await asked(api)
      const sold = before.list[0] ?? ''
      const { epoch = 0, delta = 0 } = (await api.models()).body.serving ?? {}
      const attributes = { [sold]: { ...attributesOf(rowOf(sold)), stock: 0 } }
      const manifest = { ...world.artifact.manifest, epoch }
      const body = await buildDelta(world.signer, manifest, delta + 1, {}, { attributes })
      for (const edge of world.apis)
        expect((await edge.push('PUT', `/v1/models/${epoch}/deltas/${delta + 1}`, body)).status).toBe(200)
      const after = await asked(api, before.tag)
      expect([after.status, after.list.includes(sold)]).toEqual([200, false])
    })
    await api.admin('DELETE', '/v1/slots/tagged')
  })

  test('a bad rule is refused with its path; the wrong key, site or body with its code', async () => {
    const bad = await put('x', { filter: { all: [{ attr: 'price', below: 3 }] }, minStock: -1 })
    expect(bad).toMatchObject({ status: 422, body: { code: 'RULES_INVALID' } })
    expect(bad.body.issues?.map(({ path }) => path)).toEqual(['rules.filter.all[0]', 'rules.minStock'])
    expect((await put('x', {}, PUSH_KEY)).body.code).toBe('KEY_FORBIDDEN')
    expect((await put('x', {}, SITE.key)).body.code).toBe('KEY_FORBIDDEN')
    expect((await put('x', [])).body.code).toBe('RULES_MALFORMED')
    expect((await put('x'.repeat(65), {})).body.code).toBe('PATH_MALFORMED')
    expect((await put('x?site=elsewhere', {})).body.code).toBe('SITE_UNKNOWN')
    expect((await api.admin('GET', '/v1/slots/x')).body.code).toBe('SLOT_UNKNOWN')
  })

  test('a filter of the request goes beside that of the slot, holds for candidates, and may name the page’s item', async () => {
    await put('eco', { filter: { attr: 'tags', has: 'eco' } })
    const filter = { attr: 'category', eq: { item: 'category' } }
    const list = ids(await api.rank({ slot: 'eco', strategy: 'similar', item: 'item-4', filter }))
    expect(list.length).toBe(20)
    expect(list.every((id) => rowOf(id) % 6 === 4)).toBe(true)
    const candidates = ['item-10', 'item-11', 'item-16', 'unheard-of']
    const given = await api.rank({ slot: 'eco', item: 'item-4', filter, candidates, ...recent('item-1') })
    expect(ids(given).toSorted()).toEqual(['item-10', 'item-16'])
    const bad = await api.rank({ filter: { attr: 'price', lt: 'x' } as never })
    expect(bad).toMatchObject({
      status: 400,
      body: { code: 'RANK_MALFORMED', issues: [{ path: 'filter.lt' }] },
    })
  })

  test('pins stand where they are pinned, exclusions nowhere, a boost lifts, a category has at most two', async () => {
    await put('shelf', {
      pins: [
        { item: 'item-200', position: 0 },
        { item: 'item-201', position: 3 },
      ],
      exclude: ['item-33'],
      maxPer: [{ attr: 'category', k: 2 }],
      boosts: [{ when: { attr: 'price', gte: 150 }, add: 100 }],
    })
    const answer = await api.rank({
      slot: 'shelf',
      k: 6,
      exclude: ['item-202'],
      ...recent('item-33', 'item-8'),
    })
    const list = ids(answer)
    expect([list[0], list[3], list.includes('item-33')]).toEqual(['item-200', 'item-201', false])
    const free = list.filter((_, place) => place !== 0 && place !== 3)
    for (const category of CATEGORIES)
      expect(free.filter((id) => categoryOf(id) === category).length).toBeLessThanOrEqual(2)
    expect(free.length).toBe(4)
    expect(free.every((id) => rowOf(id) >= 150)).toBe(true)
    expect(answer.body.items[1]?.score).toBeGreaterThan(50)
    const without = await api.rank({ slot: 'shelf', k: 6, exclude: ['item-200'], ...recent('item-8') })
    expect(ids(without)).not.toContain('item-200')
  })

  test('with ε = 1 every place is drawn evenly out of 3·k, and says so; with ε = 0 the list is the best one', async () => {
    const plain = ids(await api.rank({ slot: 'plain', k: 4, ...recent('item-3') }))
    await put('best', { explore: { epsilon: 0 } })
    const best = await api.rank({ slot: 'best', k: 4, ...recent('item-3') })
    expect(ids(best)).toEqual(plain)
    expect(best.body.items.map((item) => item.propensity)).toEqual([1, 1, 1, 1])
    await put('any', { explore: { epsilon: 1 } })
    const any = await api.rank({ slot: 'any', k: 4, ...recent('item-3') })
    any.body.items.forEach(({ propensity = 0 }, place) =>
      expect(propensity).toBeCloseTo(1 / (12 - place), 10),
    )
    const lists = new Set<string>()
    for (let run = 0; run < 6; run++)
      lists.add(ids(await api.rank({ slot: 'any', k: 4, ...recent('item-3') })).join())
    expect(lists.size).toBeGreaterThan(1)
  })

  test('popular goes by count, new by when it was added, recent by what was seen, bought-together by baskets', async () => {
    const counts = ids(await api.rank({ strategy: 'popular', k: 5 })).map((id) => popularity[rowOf(id)])
    expect(counts).toEqual([...popularity].toSorted((a, b) => b - a).slice(0, 5))
    expect(ids(await api.rank({ strategy: 'new', k: 3 }))).toEqual(['item-9', 'item-8', 'item-7'])
    await put('short', { fill: false })
    const seen = await api.rank({
      slot: 'short',
      strategy: 'recent',
      ...recent('item-5', 'item-6', 'item-5', 'nobody'),
    })
    expect(seen.body.items.map(({ id, because }) => [id, because])).toEqual([
      ['item-5', { item: 'item-5', kind: 'click' }],
      ['item-6', { item: 'item-6', kind: 'click' }],
    ])
    const bought = await api.rank({ slot: 'short', strategy: 'bought-together', item: 'item-7' })
    expect(bought.body.items.map(({ id, because }) => [id, because?.item])).toEqual([
      ['item-9', 'item-7'],
      ['item-12', 'item-7'],
    ])
    // Counts 8 and 8·(128/255)², as logarithms.
    expect(bought.body.items[0]?.score).toBeCloseTo(Math.log1p(8), 5)
    const basket = await api.rank({
      slot: 'short',
      strategy: 'bought-together',
      recent: [event('item-7', 'add-to-cart'), event('item-9')],
      history: 'recent',
    })
    expect(ids(basket)).toEqual(['item-9', 'item-12'])
  })

  /** As `for-you` or `similar` would put what is left, for the same reasons. */
  const isFilledWith = async (
    list: Answer<OrProblem<RankResponse>>,
    own: number,
    rest: Parameters<Api['rank']>[0],
  ): Promise<void> => {
    const { items } = list.body
    const exclude = items.slice(0, own).map(({ id }) => id)
    const expected = await api.rank({ ...rest, exclude, k: items.length - own })
    expect(items.slice(own).map(({ id, because }) => [id, because])).toEqual(
      expected.body.items.map(({ id, because }) => [id, because]),
    )
    const scores = items.map(({ score }) => score ?? NaN)
    expect(scores).toEqual(scores.toSorted((a, b) => b - a))
  }

  test('short lists are filled up: recent with what is for the visitor, bought-together with what is like the item, each with its own reasons', async () => {
    const events = recent('item-5', 'item-6', 'item-5')
    const seen = await api.rank({ strategy: 'recent', k: 12, ...events })
    expect(ids(seen).slice(0, 2)).toEqual(['item-5', 'item-6'])
    expect(ids(seen)).toHaveLength(12)
    expect(seen.body.items[1]?.because).toEqual({ item: 'item-6', kind: 'click' })
    await isFilledWith(seen, 2, { strategy: 'for-you', ...events })
    expect(seen.body.diagnostics?.engine).toBe('ort')

    const bought = await api.rank({ strategy: 'bought-together', item: 'item-7', k: 12 })
    expect(ids(bought).slice(0, 2)).toEqual(['item-9', 'item-12'])
    expect(ids(bought)).not.toContain('item-7')
    await isFilledWith(bought, 2, { strategy: 'similar', item: 'item-7' })
    // Nobody bought anything with item 8: all of it is filling.
    await isFilledWith(await api.rank({ strategy: 'bought-together', item: 'item-8', k: 12 }), 0, {
      strategy: 'similar',
      item: 'item-8',
    })
  })

  test('who has done nothing sees what is popular, without reasons; candidates are filled from candidates; filters go for the filling too', async () => {
    const nothing = await api.rank({ strategy: 'recent', k: 5 })
    expect(ids(nothing)).toEqual(ids(await api.rank({ strategy: 'popular', k: 5 })))
    expect(nothing.body.items.every(({ because }) => because === undefined)).toBe(true)
    const candidates = ['item-1', 'item-2', 'item-5', 'item-30']
    const chosen = await api.rank({ strategy: 'recent', candidates, ...recent('item-5') })
    expect(ids(chosen)[0]).toBe('item-5')
    expect(ids(chosen).toSorted()).toEqual(candidates.toSorted())
    const hats = await api.rank({
      strategy: 'bought-together',
      item: 'item-7',
      filter: { attr: 'category', eq: 'hats' },
    })
    expect(ids(hats)).toHaveLength(20)
    expect(ids(hats).every((id) => categoryOf(id) === 'hats')).toBe(true)
    expect(ids(hats).slice(0, 2)).toEqual(['item-9', 'item-12'])
  })

  test('a slot’s own strategy is for requests that name none; without what it starts from the list is for-you', async () => {
    await put('front', { strategy: 'new' })
    expect(await api.rank({ slot: 'front', k: 1 })).toMatchObject({
      body: { strategy: 'new', items: [{ id: 'item-9' }] },
    })
    expect((await api.rank({ slot: 'front', strategy: 'popular' })).body.strategy).toBe('popular')
    await put('alike', { strategy: 'similar' })
    expect((await api.rank({ slot: 'alike', ...recent('item-1') })).body.strategy).toBe('for-you')
  })

  test('recent and for-you read the history with one call to Cosmos, lists that are the same for everybody with none', async () => {
    const visitor = await api.visitor()
    const { session } = (await api.events(visitor, [event('item-21'), event('item-22')])).body
    const seen = await other.rank({ strategy: 'recent', visitor, session })
    expect([ids(seen).slice(0, 2), seen.body.fresh, (seen.body.diagnostics?.ru ?? 0) > 0]).toEqual([
      ['item-22', 'item-21'],
      true,
      true,
    ])
    for (const strategy of ['popular', 'trending', 'new'] as const)
      expect((await other.rank({ strategy, visitor, session })).body.diagnostics?.ru).toBe(0)
  })
}
