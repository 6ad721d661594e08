import { afterAll, beforeAll, expect, test } from 'vitest'
import { event, type Api } from './testing/api.ts'
import { createWorld, type StartEdge, type World } from './testing/worlds.ts'

/** What a list may be asked for, and what it holds, over real HTTP, on any host. */
export function describeLists(start: StartEdge): void {
  let world: World
  let api: Api

  beforeAll(async () => {
    world = await createWorld(start)
    ;[api] = world.apis as [Api]
  })

  afterAll(() => world.close())

  test.each<[string, unknown, string]>([
    ['text that is no JSON', 'nonsense', 'body'],
    ['no slot', {}, 'slot'],
    ['an unknown strategy', { slot: 's', strategy: 'magic' }, 'strategy'],
    ['similar without an item', { slot: 's', strategy: 'similar' }, 'item'],
    ['k of 0', { slot: 's', k: 0 }, 'k'],
    ['k of 201', { slot: 's', k: 201 }, 'k'],
    [
      '1,001 candidates',
      { slot: 's', candidates: Array.from({ length: 1_001 }, (_, index) => `item-${index}`) },
      'candidates',
    ],
    ['a candidate that is a number', { slot: 's', candidates: ['item-1', 7] }, 'candidates[1]'],
    ['51 recent events', { slot: 's', recent: Array.from({ length: 51 }, () => event()) }, 'recent'],
    ['a broken session', { slot: 's', session: '0:abc' }, 'session'],
    ['an unknown history', { slot: 's', history: 'none' }, 'history'],
  ])('a rank with %s is 400 RANK_MALFORMED and names it', async (_, body, path) => {
    const answer = await api.page<object>('/v1/rank', body)
    expect([answer.status, answer.body.code]).toEqual([400, 'RANK_MALFORMED'])
    expect(
      `${answer.body.detail} ${answer.body.issues?.map((issue) => issue.path).join(' ') ?? ''}`,
    ).toContain(path)
  })

  test('a rank with a forged visitor, or one of another site, is 403 VISITOR_FORGED', async () => {
    const visitor = await api.visitor()
    const forged = `${visitor.slice(0, 43)}${visitor.at(43) === 'A' ? 'B' : 'A'}${visitor.slice(44)}`
    expect((await api.rank({ visitor: forged })).body.code).toBe('VISITOR_FORGED')
  })

  test('candidates: the known ones ranked, unknown ones last in the order given with score null', async () => {
    const answer = await api.rank({
      recent: [event({ item: 'item-3' })],
      candidates: ['no-such-b', 'item-1', 'no-such-a', 'item-2', 'item-1', 'item-9'],
      exclude: ['item-9'],
    })
    expect(
      answer.body.items
        .map((item) => item.id)
        .slice(0, 2)
        .toSorted(),
    ).toEqual(['item-1', 'item-2'])
    expect(answer.body.items.slice(2)).toEqual([
      { id: 'no-such-b', score: null },
      { id: 'no-such-a', score: null },
    ])
  })

  test('a disliked item leaves the list, a later like brings it back', async () => {
    const recent = [event({ item: 'item-3' })]
    const [best] = (await api.rank({ recent })).body.items
    const at = Date.now()
    const dislike = event({ kind: 'dislike', item: best?.id ?? '', at: at - 500 })
    const without = await api.rank({ recent: [...recent, dislike] })
    expect(without.body.items.map((item) => item.id)).not.toContain(best?.id)
    const back = await api.rank({
      recent: [...recent, dislike, event({ kind: 'like', item: best?.id ?? '', at })],
    })
    expect(back.body.items.map((item) => item.id)).toContain(best?.id)
  })

  test('trending is by newest counts, similar leaves its own item out; both read nothing', async () => {
    const visitor = await api.visitor()
    const trending = await api.rank({ visitor, strategy: 'trending', k: 10 })
    const trend = (id: string) => world.artifact.data.trend[Number(id.slice(5))] ?? -1
    const counts = trending.body.items.map((item) => trend(item.id))
    expect(counts).toEqual([...world.artifact.data.trend].toSorted((a, b) => b - a).slice(0, 10))
    const similar = await api.rank({ visitor, strategy: 'similar', item: 'item-7', k: 10 })
    expect(similar.body.items.map((item) => item.id)).not.toContain('item-7')
    expect([trending.body.diagnostics?.ru, similar.body.diagnostics?.ru]).toEqual([0, 0])
  })
}
