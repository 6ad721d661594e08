import { createHmac } from 'node:crypto'
import { CosmosClient } from '@azure/cosmos'
import { CONTAINERS, DATABASE, DECISIONS_CONTAINER, EVENTS_CONTAINER, USERS_CONTAINER } from '@attune/core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { event, IDENTITY_SECRET, SITE, type Api } from './testing/api.ts'
import { createWorld, type StartEdge, type World } from './testing/worlds.ts'

interface Covered {
  readonly visitor: string
  readonly covers: readonly string[]
  readonly user?: { readonly linked: readonly { readonly visitor: string; readonly at: number }[] }
  readonly events: number
  readonly deleted: number
  readonly remaining: number
  readonly session: string
}

/** Users, consent and Global Privacy Control over real HTTP, on any host; the official SDK looks at what is stored. */
export function describeVisitors(start: StartEdge): void {
  let world: World
  let phone: Api
  let laptop: Api
  let shown: Api

  beforeAll(async () => {
    world = await createWorld(start, {
      edges: 3,
      configure: (options, edge) =>
        edge === 2 ? { ...options, settings: { ATTUNE_DECISIONS: '1' } } : options,
    })
    ;[phone, laptop, shown] = world.apis as [Api, Api, Api]
  })

  afterAll(async () => {
    await world.close()
  })

  const click = (item: string) => event({ item })
  const inTenMinutes = () => Math.floor(Date.now() / 1_000) + 600
  /** As the site's server does it. */
  const proven = (
    user: string,
    expires = inTenMinutes(),
    secret = IDENTITY_SECRET,
    site: string = SITE.id,
  ) => ({
    user,
    expires,
    proof: createHmac('sha256', secret).update(`${site}\n${user}\n${expires}`).digest('hex'),
  })
  const identify = (api: Api, more: object) => api.page<{ visitor: string }>('/v1/visitors/identify', more)
  const all = async (container: string): Promise<Record<string, unknown>[]> => {
    const client = new CosmosClient({ endpoint: world.cosmos.endpoint, key: world.cosmos.key })
    const query = client.database(DATABASE).container(container).items.query('SELECT * FROM c')
    return (await query.fetchAll()).resources as Record<string, unknown>[]
  }
  const eventsOf = async (handle: string) =>
    (await all(EVENTS_CONTAINER.id)).filter(({ visitor }) => visitor === `${SITE.id}:${handle.slice(0, 22)}`)

  test('a user is one visitor on all devices: a click on the phone counts in the next list on the laptop', async () => {
    const [onPhone, onLaptop] = [await phone.visitor(), await laptop.visitor()]
    const one = await identify(phone, { ...proven('ada'), visitor: onPhone })
    const other = await identify(laptop, { ...proven('ada'), visitor: onLaptop })
    expect([one.status, other.status]).toEqual([200, 200])
    expect(other.body.visitor).toBe(one.body.visitor)
    expect([onPhone, onLaptop]).not.toContain(one.body.visitor)
    const { body } = await phone.events(one.body.visitor, [click('item-42')])
    const list = await laptop.rank({ visitor: other.body.visitor, session: body.session })
    expect([list.body.fresh, list.body.diagnostics?.events]).toEqual([true, 1])
    expect((await identify(phone, proven('bob'))).body.visitor).not.toBe(one.body.visitor)
  })

  test('20 devices that identify at once agree on one handle', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => identify(phone, proven('crowd'))))
    expect(new Set(answers.map(({ body }) => body.visitor)).size).toBe(1)
  })

  test('export and deletion by the user cover every linked handle; a linked handle covers itself alone', async () => {
    const anonymous = [await phone.visitor(), await phone.visitor()]
    for (const handle of anonymous) await phone.events(handle, [click('item-1'), click('item-2')])
    let user = ''
    for (const visitor of anonymous)
      user = (await identify(phone, { ...proven('eve'), visitor })).body.visitor
    await identify(phone, { ...proven('eve'), visitor: user })
    await phone.events(user, [click('item-3')])

    const alone = await phone.page<Covered>('/v1/visitors/export', { visitor: anonymous[0] })
    expect(alone.body).toMatchObject({ covers: [anonymous[0]?.slice(0, 22)], events: 2 })
    const exported = await phone.page<Covered>('/v1/visitors/export', { visitor: user })
    const ids = [user, ...anonymous].map((handle) => handle.slice(0, 22))
    expect(exported.body.covers[0]).toBe(ids[0])
    expect(exported.body.covers.toSorted()).toEqual(ids.toSorted())
    expect(exported.body.events).toBe(5)
    const linked = exported.body.user?.linked ?? []
    expect(linked.map(({ visitor }) => visitor).toSorted()).toEqual(ids.slice(1).toSorted())
    for (const { at } of linked) expect(Math.abs(at - Date.now())).toBeLessThan(60_000)
    expect(alone.body.user).toBeUndefined()

    const deleted = await phone.page<Covered>('/v1/visitors/delete', { visitor: user })
    // The user, the way back from its handle, and two links.
    expect(deleted.body).toMatchObject({
      deleted: 3,
      links: 4,
      remaining: 0,
      session: expect.any(String) as string,
    })
    expect(deleted.body.covers.toSorted()).toEqual(ids.toSorted())
    for (const handle of [user, ...anonymous]) expect(await eventsOf(handle)).toEqual([])
    const left = (await all(USERS_CONTAINER.id)).filter((document) =>
      JSON.stringify(document).includes(ids[0] ?? ''),
    )
    expect(left).toEqual([])
    const again = await phone.page<Covered>('/v1/visitors/delete', { visitor: user })
    expect(again.body).toMatchObject({ covers: [ids[0]], deleted: 0, links: 0, remaining: 0 })
    // A user who comes back after that is a new visitor.
    expect((await identify(phone, proven('eve'))).body.visitor).not.toBe(user)
  })

  test('the id of a user is nowhere stored as it is', async () => {
    await identify(phone, proven('someone@example.com'))
    expect(JSON.stringify(await all(USERS_CONTAINER.id))).not.toContain('someone')
  })

  test('nobody claims a user without the proof of the site’s server, nor with an old one', async () => {
    const forged = [
      ['another user’s proof', { ...proven('ada'), user: 'bob' }],
      ['another secret', proven('ada', inTenMinutes(), 'a secret of somebody else')],
      ['another site’s proof', proven('ada', inTenMinutes(), IDENTITY_SECRET, 'hats')],
      ['another expiry', { ...proven('ada'), expires: inTenMinutes() + 1 }],
      ['one that has run out', proven('ada', Math.floor(Date.now() / 1_000) - 1)],
      ['one that is good for two days', proven('ada', Math.floor(Date.now() / 1_000) + 2 * 86_400)],
    ] as const
    for (const [what, request] of forged) {
      const answer = await identify(phone, request)
      expect([what, answer.status, answer.body.code]).toEqual([what, 403, 'IDENTITY_UNPROVEN'])
    }
    const stranger = `${'A'.repeat(22)}.${'A'.repeat(22)}`
    const linked = await identify(phone, { ...proven('ada'), visitor: stranger })
    expect([linked.status, linked.body.code]).toEqual([403, 'VISITOR_FORGED'])
    const malformed = await identify(phone, { user: '', proof: 'x' })
    expect(malformed.body.issues?.map(({ path }) => path).toSorted()).toEqual(['expires', 'proof', 'user'])
  })

  test('who denies consent is not stored, not read, and not identified', async () => {
    const visitor = await phone.visitor()
    const { body } = await phone.events(visitor, [click('item-42')])
    const refused = await phone.page<object>('/v1/events', {
      batch: crypto.randomUUID(),
      visitor,
      events: [click('item-43')],
      consent: 'denied',
    })
    expect([refused.status, refused.body.code]).toEqual([403, 'CONSENT_DENIED'])
    expect(await eventsOf(visitor)).toHaveLength(1)
    const list = await phone.rank({ visitor, session: body.session, consent: 'denied' })
    expect([list.status, list.body.diagnostics?.events, list.body.diagnostics?.ru]).toEqual([200, 0, 0])
    expect((await identify(phone, { ...proven('fay'), consent: 'denied' })).body.code).toBe('CONSENT_DENIED')
    const neither = await phone.rank({ consent: 'perhaps' as 'denied' })
    expect([neither.status, neither.body.issues?.[0]?.path]).toEqual([400, 'consent'])
  })

  test('under Global Privacy Control no request leaves anything anywhere, and what was stored can still be had and deleted', async () => {
    const visitor = await phone.visitor()
    await phone.events(visitor, [click('item-42')])
    const everything = async () =>
      JSON.stringify(await Promise.all(CONTAINERS.map(async ({ id }) => [id, await all(id)])))
    const send = <T>(path: string, request: object) =>
      shown.send<T>('POST', `/v1/${path}?key=${SITE.key}`, {
        body: JSON.stringify({ visitor, ...request }),
        headers: { 'sec-gpc': '1' },
      })
    const before = await everything()
    const batch = { batch: crypto.randomUUID(), events: [click('item-44')] }
    expect((await send('events', batch)).body.code).toBe('CONSENT_DENIED')
    expect((await send('visitors/identify', proven('gil'))).body.code).toBe('CONSENT_DENIED')
    expect((await send('visitors', {})).status).toBe(201)
    expect((await send('rank', { slot: 'home' })).status).toBe(200)
    expect((await send('rank', { slot: 'home', recent: [click('item-9')] })).status).toBe(200)
    expect((await send<Covered>('visitors/export', {})).body.events).toBe(1)
    // Long enough for what is written behind answers; this edge keeps what it has shown.
    await new Promise((resolve) => setTimeout(resolve, 1_000))
    expect(await everything()).toBe(before)
    const kept = await shown.rank({ visitor, slot: 'home' })
    await expect
      .poll(async () => JSON.stringify(await all(DECISIONS_CONTAINER.id)))
      .toContain(kept.body.decision)
    expect((await send<Covered>('visitors/delete', {})).body).toMatchObject({ deleted: 1, decisions: 1 })
    expect(await everything()).not.toContain(visitor.slice(0, 22))
  })

  test('Global Privacy Control is a no, until the visitor says yes to this site', async () => {
    const visitor = await phone.visitor()
    const { body } = await phone.events(visitor, [click('item-42')])
    const send = (path: string, request: object) =>
      phone.send<{ diagnostics?: { events: number } }>('POST', `${path}?key=${SITE.key}`, {
        body: JSON.stringify({ visitor, ...request }),
        headers: { 'sec-gpc': '1' },
      })
    const batch = () => ({ batch: crypto.randomUUID(), events: [click('item-44')] })
    const refused = await send('/v1/events', batch())
    expect([refused.status, refused.body.code]).toEqual([403, 'CONSENT_DENIED'])
    const list = await send('/v1/rank', { slot: 'home', session: body.session })
    expect([list.status, list.body.diagnostics?.events]).toEqual([200, 0])
    expect((await send('/v1/events', { ...batch(), consent: 'granted' })).status).toBe(202)
    const read = await send('/v1/rank', { slot: 'home', consent: 'granted' })
    expect(read.body.diagnostics?.events).toBe(2)
    expect(await eventsOf(visitor)).toHaveLength(2)
  })
}
