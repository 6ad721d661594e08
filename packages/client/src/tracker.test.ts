import type { EventsRequest } from '@attune/core'
import { afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { createClient, type Client, type ClientOptions } from './client.ts'
import { createMemoryStore } from './store/memory.ts'
import { contentOf } from './store/store.contract.ts'

/** An edge in a function: what it received, and what it answers next. */
function edge(): {
  fetch: typeof fetch
  batches: EventsRequest[]
  visitors: number
  answers: (() => Response | Error)[]
} {
  const self = {
    batches: [] as EventsRequest[],
    visitors: 0,
    answers: [] as (() => Response | Error)[],
    fetch: (async (input: string, init: RequestInit) => {
      const path = new URL(input).pathname
      if (path.endsWith('visitors')) return Response.json({ visitor: `v${++self.visitors}` }, { status: 201 })
      const body = JSON.parse(init.body as string) as EventsRequest
      self.batches.push(body)
      const answer = self.answers.shift()?.()
      if (answer instanceof Error) throw answer
      return (
        answer ??
        Response.json(
          {
            batch: body.batch,
            accepted: body.events.length,
            rejected: [],
            duplicate: false,
            session: `s${self.batches.length}`,
          },
          { status: 202 },
        )
      )
    }) as unknown as typeof fetch,
  }
  return self
}

let server: ReturnType<typeof edge>
let codes: string[]
let time: number
const clients: Client[] = []

function start(options: Partial<ClientOptions> = {}): Client {
  const client = createClient({
    endpoint: 'https://edge.test',
    site: 'key',
    fetch: server.fetch,
    now: () => time,
    random: () => 0.5,
    store: createMemoryStore(),
    onError: (error) => codes.push(error.code),
    ...options,
  })
  clients.push(client)
  return client
}

// Node has no Web Locks. Loaded before time is faked: loading takes real time.
beforeAll(() => import('./rare.ts'))
beforeEach(() => {
  vi.useFakeTimers()
  server = edge()
  codes = []
  time = 1_700_000_000_000
})
afterEach(() => {
  for (const client of clients.splice(0)) client.close()
  vi.useRealTimers()
})

test('without Web Locks each click is a batch of its own; the handle is asked for once and only then', async () => {
  const client = start()
  await vi.advanceTimersByTimeAsync(1_000)
  expect(server.visitors).toBe(0)
  client.track('click', 'a')
  client.track('view', 'b', { slot: 's', position: 0 })
  await vi.advanceTimersByTimeAsync(60)
  client.track('click', 'c')
  await vi.advanceTimersByTimeAsync(1_000)
  expect(server.batches.map((batch) => batch.events.map((event) => event.item))).toEqual([
    ['a'],
    ['b'],
    ['c'],
  ])
  expect(server.batches.map((batch) => [batch.visitor, batch.session])).toEqual([
    ['v1', undefined],
    ['v1', 's1'],
    ['v1', 's2'],
  ])
  expect(server.visitors).toBe(1)
})

test('ids of one page rise even when its clock goes back, so order is kept', async () => {
  const client = start()
  for (const at of [5_000, 4_000, 4_000, 9_000]) {
    time = 1_700_000_000_000 + at
    client.track('click', `${at}`)
  }
  await vi.advanceTimersByTimeAsync(60)
  const events = server.batches.flatMap((batch) => batch.events)
  expect(events.map((event) => event.item)).toEqual(['5000', '4000', '4000', '9000'])
  expect(events.map((event) => event.id)).toEqual(events.map((event) => event.id).toSorted())
  expect(new Set(events.map((event) => event.id)).size).toBe(4)
})

test.each([
  ['a click without an item', 'click', null, {}],
  ['a search without a query', 'search', null, {}],
  ['an item id of 257 characters', 'click', 'x'.repeat(257), {}],
  ['a value that is not a number', 'purchase', 'a', { value: Number.NaN }],
] as const)('%s is refused here, told once, and not sent', async (_what, kind, item, fields) => {
  const client = start()
  expect(client.track(kind as 'click', item, fields)).toBeUndefined()
  expect(client.track(kind as 'click', item, fields)).toBeUndefined()
  await vi.advanceTimersByTimeAsync(100)
  expect(codes).toEqual(['EVENT_INVALID'])
  expect(server.batches).toEqual([])
})

test('network errors: the same batch id again after 0.75, 1.5 s …; told once; nothing overtakes it', async () => {
  server.answers.push(
    () => new TypeError('offline'),
    () => new Response('', { status: 502 }),
  )
  const client = start()
  client.track('click', 'first')
  await vi.advanceTimersByTimeAsync(60)
  client.track('click', 'second')
  await vi.advanceTimersByTimeAsync(680)
  expect(server.batches).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(60)
  expect(server.batches).toHaveLength(2)
  await vi.advanceTimersByTimeAsync(1_560)
  expect(server.batches.map((batch) => batch.events[0]?.item)).toEqual(['first', 'first', 'first', 'second'])
  expect(new Set(server.batches.slice(0, 3).map((batch) => batch.batch)).size).toBe(1)
  expect(server.batches[0]?.events).toHaveLength(1)
  expect(codes).toEqual(['DELIVERY_DELAYED'])
})

test('a login page that answers 200 or 202 for the edge is not taken for one that stored', async () => {
  server.answers.push(
    () => new Response('<html>please log in</html>', { status: 200 }),
    () => Response.json({ ok: true }, { status: 202 }),
  )
  const client = start()
  client.track('click', 'a')
  await vi.advanceTimersByTimeAsync(5_000)
  expect(server.batches).toHaveLength(3)
  expect(new Set(server.batches.map((batch) => batch.batch)).size).toBe(1)
})

test('a batch the edge refuses for good is given up and told; the next one goes on', async () => {
  server.answers.push(() =>
    Response.json(
      { code: 'EVENTS_REJECTED', issues: [{ path: 'events[0]', code: 'X', message: 'no' }] },
      { status: 422 },
    ),
  )
  const client = start()
  client.track('click', 'bad')
  await vi.advanceTimersByTimeAsync(60)
  client.track('click', 'good')
  await vi.advanceTimersByTimeAsync(1_000)
  expect(server.batches.map((batch) => batch.events[0]?.item)).toEqual(['bad', 'good'])
  expect(codes).toEqual(['EVENTS_REJECTED'])
})

test('a handle the edge no longer knows is replaced, and the same batch goes with the new one', async () => {
  server.answers.push(() => Response.json({ code: 'VISITOR_FORGED' }, { status: 403 }))
  const client = start()
  client.track('click', 'a')
  await vi.advanceTimersByTimeAsync(100)
  expect(server.batches.map((batch) => batch.visitor)).toEqual(['v1', 'v2'])
  expect(server.batches[0]?.batch).toBe(server.batches[1]?.batch)
})

test('a wrong key: told, and not asked again for five minutes', async () => {
  server.answers.push(() => Response.json({ code: 'KEY_UNKNOWN' }, { status: 401 }))
  const client = start()
  client.track('click', 'a')
  await vi.advanceTimersByTimeAsync(299_000)
  expect(server.batches).toHaveLength(1)
  time += 302_000
  await vi.advanceTimersByTimeAsync(3_000)
  expect(server.batches).toHaveLength(2)
  expect(codes).toEqual(['KEY_REFUSED'])
})

test('Retry-After is kept by a second page on the same store; one an hour ahead, left by a clock put back, is not', async () => {
  const store = createMemoryStore()
  server.answers.push(() =>
    Response.json({ code: 'STORE_UNAVAILABLE' }, { status: 503, headers: { 'retry-after': '30' } }),
  )
  const first = start({ store })
  first.track('click', 'a')
  await vi.advanceTimersByTimeAsync(100)
  first.close()
  const second = start({ store })
  await second.flush()
  expect(server.batches).toHaveLength(1)
  second.close()
  time -= 3_600_000
  const third = start({ store })
  await third.flush()
  expect(server.batches).toHaveLength(2)
})

test("where the page ignores privacy signals it says so to the edge, which goes by the browser's header otherwise", async () => {
  start().track('click', 'a')
  start({ privacySignals: 'ignore' }).track('click', 'b')
  await vi.advanceTimersByTimeAsync(60)
  expect(server.batches.map((batch) => [batch.events[0]?.item, batch.consent])).toEqual([
    ['a', undefined],
    ['b', 'granted'],
  ])
})

test('flush() settles when everything is stored', async () => {
  const client = start()
  client.track('click', 'a')
  await client.flush()
  expect(server.batches).toHaveLength(1)
})

test('forget() while a batch is on its way: its answer brings neither token nor handle back', async () => {
  const store = createMemoryStore()
  const client = start({ store })
  client.track('click', 'a')
  let answer = (): void => {}
  server.answers.push(() => {
    void client.forget().then(answer)
    return Response.json(
      { batch: server.batches[0]?.batch, accepted: 1, rejected: [], duplicate: false, session: 'old' },
      { status: 202 },
    )
  })
  const forgotten = new Promise<void>((resolve) => (answer = resolve))
  await vi.advanceTimersByTimeAsync(60)
  await forgotten
  await vi.advanceTimersByTimeAsync(1_000)
  expect([...(await contentOf(store)).keys()].filter((key) => /^(f|e:|b:)/.test(key))).toEqual([])
})

test('a listener or onError that throws stops nothing', async () => {
  const client = start({
    onError: () => {
      throw new Error('from onError')
    },
  })
  client.on('queued', () => {
    throw new Error('from a listener')
  })
  expect(client.track('click', 'a')).toEqual(expect.any(String))
  await vi.advanceTimersByTimeAsync(60)
  expect(server.batches).toHaveLength(1)
})

test('listeners hear of events and batches, and not after they have gone', async () => {
  const client = start()
  const heard: unknown[] = []
  const stop = client.on('queued', ({ event }) => heard.push(event.item))
  client.on('stored', ({ response, events }) => heard.push([response.session, events.length]))
  client.track('click', 'a')
  stop()
  client.track('click', 'b')
  await vi.advanceTimersByTimeAsync(60)
  expect(heard).toEqual(['a', ['s1', 1], ['s2', 1]])
})
