import { createHmac } from 'node:crypto'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { startNodeEdge } from './node.ts'
import { IDENTITY_SECRET, SITE, type Api } from './testing/api.ts'
import { createWorld, type World } from './testing/worlds.ts'

interface Exported {
  readonly covers: readonly string[]
  readonly events: number
  readonly decisions: readonly unknown[]
  readonly user?: { readonly linked: readonly { readonly visitor: string }[] }
}

const DAY_MS = 86_400_000

let world: World
let short: Api
let plain: Api

// All of it, Cosmos included, goes by this clock: a signature is refused when the clocks differ.
const start = Date.now()
const at = (days: number): void => {
  vi.setSystemTime(start + days * DAY_MS)
}

beforeAll(async () => {
  vi.useFakeTimers({ toFake: ['Date'] })
  at(0)
  world = await createWorld(startNodeEdge, {
    edges: 2,
    configure: (options, edge) => ({
      ...options,
      settings: {
        ATTUNE_DECISIONS: '1',
        ...(edge === 0 && { ATTUNE_RETENTION_DAYS: '2', ATTUNE_USER_RETENTION_DAYS: '3' }),
      },
    }),
  })
  ;[short, plain] = world.apis as [Api, Api]
})

afterAll(async () => {
  vi.useRealTimers()
  await world.close()
})

const identify = async (api: Api, user: string, visitor?: string): Promise<string> => {
  const expires = Math.floor(Date.now() / 1_000) + 600
  const proof = createHmac('sha256', IDENTITY_SECRET).update(`${SITE.id}\n${user}\n${expires}`).digest('hex')
  const answer = await api.page<{ visitor: string }>('/v1/visitors/identify', {
    user,
    expires,
    proof,
    ...(visitor !== undefined && { visitor }),
  })
  expect(answer.status).toBe(200)
  return answer.body.visitor
}
const has = async (api: Api, visitor: string) => {
  const { status, body } = await api.page<Exported>('/v1/visitors/export', { visitor })
  expect(status).toBe(200)
  return { events: body.events, decisions: body.decisions.length, linked: body.user?.linked.length }
}
/** Someone who clicks, is shown a list, and then says who they are. */
const someone = async (api: Api, user: string): Promise<string> => {
  const anonymous = await api.visitor()
  const handle = await identify(api, user, anonymous)
  const clicked = Date.now() - 1_000
  await api.events(anonymous, [{ id: crypto.randomUUID(), kind: 'click', item: 'item-1', at: clicked }])
  await api.events(handle, [{ id: crypto.randomUUID(), kind: 'click', item: 'item-2', at: clicked }])
  await api.rank({ visitor: handle })
  await expect.poll(() => has(api, handle)).toEqual({ events: 2, decisions: 1, linked: 1 })
  return handle
}

test('events, decisions and links go when the deployer said: after 2 days, 2 days and 3; else after 90, 30 and never', async () => {
  const [one, other] = [await someone(short, 'ada'), await someone(plain, 'bob')]
  const often = await someone(short, 'eve')
  at(1.99)
  expect(await has(short, one)).toEqual({ events: 2, decisions: 1, linked: 1 })
  at(2.01)
  expect(await has(short, one)).toEqual({ events: 0, decisions: 0, linked: 1 })
  expect(await has(plain, other)).toEqual({ events: 2, decisions: 1, linked: 1 })
  expect(await identify(short, 'eve')).toBe(often)
  at(3.01)
  expect(await has(short, one)).toEqual({ events: 0, decisions: 0, linked: undefined })
  expect(await identify(short, 'ada')).not.toBe(one)
  // Who identifies now and then stays who they are; the link of a handle that is no longer used goes.
  expect(await has(short, often)).toEqual({ events: 0, decisions: 0, linked: 0 })
  at(5)
  expect(await identify(short, 'eve')).toBe(often)
  at(29.9)
  expect(await has(plain, other)).toEqual({ events: 2, decisions: 1, linked: 1 })
  at(30.1)
  expect(await has(plain, other)).toEqual({ events: 2, decisions: 0, linked: 1 })
  at(89.9)
  expect(await has(plain, other)).toEqual({ events: 2, decisions: 0, linked: 1 })
  at(90.1)
  expect(await has(plain, other)).toEqual({ events: 0, decisions: 0, linked: 1 })
  expect(await identify(plain, 'bob')).toBe(other)
})
