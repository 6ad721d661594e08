import { CosmosClient, type Container, type ContainerRequest } from '@azure/cosmos'
import { DATABASE, LEASES_CONTAINER } from '@attune/core'
import { startCosmosLocal, type CosmosLocal } from '@attune/cosmos-local'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { admin, merge, split } from '../testing/cosmos-admin.ts'
import { startProxy, type CosmosProxy } from '../testing/cosmos-proxy.ts'
import { createEvents } from '../testing/events-container.ts'
import { estimateLag } from './lag.ts'
import { FeedPlaces } from './places.ts'
import { startChangeFeedProcessor, type ChangeFeedProcessor } from './processor.ts'
import type { ChangeFeedProcessorOptions } from './processor-options.ts'

interface Row {
  readonly id: string
  readonly visitor: string
  readonly n: number
}

const FOUR_PARTITIONS = { throughput: 40_000 }
const TIMES = { ttlMs: 1_500, roundMs: 100, idleMs: 5 }
let cosmos: CosmosLocal
let container: Container
let leases: Container
const cleanup: (() => Promise<unknown> | void)[] = []
beforeAll(async () => {
  cosmos = await startCosmosLocal({ port: 0 })
})
afterAll(() => cosmos.close())
beforeEach(async () => {
  container = await createEvents(cosmos, FOUR_PARTITIONS)
  const { database } = container
  await database.containers.createIfNotExists(structuredClone(LEASES_CONTAINER) as ContainerRequest)
  leases = database.container(LEASES_CONTAINER.id)
})
afterEach(async () => {
  for (const action of cleanup.splice(0).reverse()) await action()
  await container.delete()
  await leases.delete()
})

let next = 0
/** Stores rows of some visitors, spread over all partitions. */
async function store(count: number, visitors = 16): Promise<Row[]> {
  const rows = Array.from({ length: count }, (): Row => {
    const n = next++
    return { id: `row-${n}`, visitor: `v${n % visitors}`, n }
  })
  await Promise.all(rows.map((row) => container.items.create(row)))
  return rows
}

interface Instance {
  readonly processor: ChangeFeedProcessor<Row>
  readonly seen: Row[]
  readonly errors: string[]
}

async function start(options: Partial<ChangeFeedProcessorOptions<Row>> = {}): Promise<Instance> {
  const seen: Row[] = []
  const errors: string[] = []
  const processor = await startChangeFeedProcessor<Row>({
    container,
    leases,
    endpoint: cosmos.endpoint,
    name: 'test',
    onChanges: (rows) => {
      seen.push(...rows)
      return Promise.resolve()
    },
    onError: (where, error) => errors.push(`${where}: ${String(error)}`),
    ...TIMES,
    ...options,
  })
  cleanup.push(() => processor.stop())
  return { processor, seen, errors }
}

const numbers = (...instances: Instance[]) =>
  instances.flatMap(({ seen }) => seen.map(({ n }) => n)).sort((a, b) => a - b)
const wanted = (...rows: Row[][]) =>
  rows
    .flat()
    .map(({ n }) => n)
    .sort((a, b) => a - b)
const shares = (...instances: Instance[]) => instances.map(({ processor }) => processor.ranges.length)
const eventually = (check: () => unknown) => vi.waitFor(check, 20_000)

test('one instance reads all ranges, every change once, those of a visitor in their order', async () => {
  const before = await store(200)
  const one = await start()
  await eventually(() => expect(one.seen.length).toBe(200))
  const after = await store(50)
  await eventually(() => expect(one.seen.length).toBe(250))
  expect(numbers(one)).toEqual(wanted(before, after))
  for (let visitor = 0; visitor < 16; visitor++) {
    const own = one.seen.filter((row) => row.visitor === `v${visitor}`)
    const lsns = own.map((row) => (row as Row & { _lsn: number })._lsn)
    expect(lsns).toEqual([...lsns].sort((a, b) => a - b))
  }
  expect(one.processor.ranges.length).toBe((await container.getFeedRanges()).length)
  expect(one.processor.totals).toMatchObject({ documents: 250, lost: 0 })
  expect(one.errors).toEqual([])
})

test('from now or from a time on: nothing older comes, everything later does', async () => {
  await store(40)
  // Cosmos keeps times in whole seconds: what comes after has to be in a later one.
  const since = (Math.floor(Date.now() / 1_000) + 1) * 1_000
  await new Promise((resolve) => setTimeout(resolve, since + 1_100 - Date.now()))
  const timed = await start({ name: 'from a time', start: new Date(since) })
  const placed = new Set<string>()
  const now: Row[] = []
  await start({
    name: 'from now',
    start: 'now',
    handOverEmpty: true,
    onChanges: (rows, { range }) => {
      placed.add(range.min)
      now.push(...rows)
      return Promise.resolve()
    },
  })
  const ranges = (await container.getFeedRanges()).length
  // The first batch of a range, empty, says where "now" is.
  await eventually(() => expect(placed.size).toBe(ranges))
  expect(now).toEqual([])
  const after = await store(30)
  await eventually(() => expect(now.length).toBe(30))
  await eventually(() => expect(timed.seen.length).toBe(30))
  expect(numbers(timed)).toEqual(wanted(after))
  expect(now.map(({ n }) => n).sort((a, b) => a - b)).toEqual(wanted(after))
})

test('instances share ranges evenly as they come and go in order, and no change comes twice or not at all', async () => {
  const ranges = (await container.getFeedRanges()).length
  expect(ranges).toBe(4)
  const rows = [await store(50)]
  const one = await start()
  const two = await start()
  await eventually(() => expect(shares(one, two)).toEqual([2, 2]))
  rows.push(await store(50))
  const three = await start()
  await eventually(() => expect(shares(one, two, three).sort()).toEqual([1, 1, 2]))
  rows.push(await store(50))
  await one.processor.stop()
  await eventually(() => expect(shares(two, three)).toEqual([2, 2]))
  rows.push(await store(50))
  await eventually(() => expect(numbers(one, two, three)).toEqual(wanted(...rows)))
})

test('ranges of an instance that is cut off are taken over once its leases have expired; it stops reading them', async () => {
  const proxy = await startProxy(cosmos.endpoint)
  cleanup.push(() => proxy.close())
  const client = new CosmosClient({
    endpoint: proxy.url,
    key: cosmos.key,
    connectionPolicy: { enableEndpointDiscovery: false },
  })
  const database = client.database(DATABASE)
  const rows = [await store(40)]
  const one = await start({ leases: database.container(LEASES_CONTAINER.id) })
  await eventually(() => expect(one.seen.length).toBe(40))
  const two = await start()
  await eventually(() => expect(shares(one, two)).toEqual([2, 2]))
  proxy.down = true
  await eventually(() => expect(shares(two)).toEqual([4]))
  rows.push(await store(40))
  await eventually(() => expect(new Set(numbers(one, two))).toEqual(new Set(wanted(...rows))))
  // The line is back: it sees that its ranges are another's now, and shares anew.
  proxy.down = false
  await eventually(() => expect(shares(one, two)).toEqual([2, 2]))
  const later = await store(40)
  await eventually(() => expect(wanted(later).every((n) => numbers(one, two).includes(n))).toBe(true))
})

test('a range that splits while it is read is followed by two leases that go on from its place; a merge makes one again', async () => {
  const one = await start({ maxItemCount: 5 })
  const rows = [await store(100)]
  await split(cosmos, 'events')
  rows.push(await store(100))
  await eventually(() => expect(shares(one)).toEqual([5]))
  await split(cosmos, 'events')
  rows.push(await store(100))
  await eventually(() => expect(shares(one)).toEqual([6]))
  await eventually(() => expect(one.seen.length).toBeGreaterThanOrEqual(300))
  await merge(cosmos, 'events')
  rows.push(await store(100))
  await eventually(() => expect(shares(one)).toEqual([5]))
  await eventually(() => expect(numbers(one)).toEqual(wanted(...rows)))
  // Split: 1 → 2, 2; split again: 2 → 3, 3; joined: 4.
  expect(one.processor.ranges.map(({ generation }) => generation).sort()).toEqual([1, 1, 1, 2, 4])
})

test('a batch that fails is tried again; after three failures it is taken aside and the range goes on', async () => {
  const aside: number[] = []
  const attempts = new Map<string, number>()
  const good: number[] = []
  const bad = await store(1, 1)
  const { errors } = await start({
    onChanges: (rows) => {
      const key = rows.map(({ n }) => n).join()
      attempts.set(key, (attempts.get(key) ?? 0) + 1)
      if (rows.some(({ n }) => n === bad[0]?.n)) return Promise.reject(new Error('cannot take this one'))
      good.push(...rows.map(({ n }) => n))
      return Promise.resolve()
    },
    poison: {
      attempts: 3,
      deadLetter: (rows) => {
        aside.push(...rows.map(({ n }) => n))
        return Promise.resolve()
      },
    },
  })
  await eventually(() => expect(aside).toEqual(wanted(bad)))
  const later = await store(3, 1)
  await eventually(() => expect(good).toEqual(wanted(later)))
  expect(attempts.get(wanted(bad).join())).toBe(3)
  expect(errors.filter((error) => error.includes('cannot take this one')).length).toBe(2)
})

test('a batch that nobody takes aside stops the processor; its place stays before the batch', async () => {
  const one = await start()
  const rows = await store(20)
  await eventually(() => expect(one.seen.length).toBe(20))
  await one.processor.stop()
  const poisoned = await start({
    onChanges: () => Promise.reject(new Error('no')),
    poison: { attempts: 2 },
  })
  const later = await store(1)
  await expect(poisoned.processor.done).rejects.toMatchObject({ code: 'BATCH_POISONED' })
  const again = await start()
  await eventually(() => expect(numbers(again)).toEqual(wanted(later)))
  expect(numbers(one)).toEqual(wanted(rows))
})

test('places kept with the effects make effects exactly once, though leases are checkpointed late and instances die', async () => {
  // The sink: effects and place change in one step, and only from the place a batch starts at.
  const places = new FeedPlaces()
  const effects: number[] = []
  const restore: ChangeFeedProcessorOptions<Row>['restore'] = (range) => {
    const continuation = places.continuationOf(range)
    return Promise.resolve(continuation === undefined ? {} : { continuation })
  }
  const onChanges: ChangeFeedProcessorOptions<Row>['onChanges'] = (
    rows,
    { range, previous, continuation },
  ) => {
    if (places.continuationOf(range) !== previous) return Promise.reject(new Error('another was here'))
    effects.push(...rows.map(({ n }) => n))
    places.advance(continuation)
    return Math.random() < 0.2 ? Promise.reject(new Error('the answer was lost')) : Promise.resolve()
  }
  const rows = [await store(100)]
  const late = { onChanges, restore, checkpointEveryMs: 60_000, maxItemCount: 7 }
  const proxies: CosmosProxy[] = []
  for (let life = 0; life < 4; life++) {
    const proxy = await startProxy(cosmos.endpoint)
    proxies.push(proxy)
    cleanup.push(() => proxy.close())
    const client = new CosmosClient({
      endpoint: proxy.url,
      key: cosmos.key,
      connectionPolicy: { enableEndpointDiscovery: false },
    })
    const database = client.database(DATABASE)
    await start({
      ...late,
      container: database.container(container.id),
      leases: database.container(LEASES_CONTAINER.id),
    })
    rows.push(await store(60))
    if (life === 1) await split(cosmos, 'events')
    await new Promise((resolve) => setTimeout(resolve, 200))
    // As good as dead: it can neither read nor write any more, and cannot say goodbye.
    proxy.down = true
  }
  await start(late)
  await eventually(() => expect([...effects].sort((a, b) => a - b)).toEqual(wanted(...rows)))
  // And when the dead come back.
  for (const proxy of proxies) proxy.down = false
  rows.push(await store(60))
  await eventually(() => expect([...effects].sort((a, b) => a - b)).toEqual(wanted(...rows)))
})

test('429 to reads and to lease writes slows it down and loses nothing', async () => {
  const one = await start()
  await eventually(() => expect(shares(one)).toEqual([4]))
  await admin(cosmos, 'POST', 'faults', {
    fault: { kind: 'status', status: 429, substatus: 3200, retryAfterMs: 20 },
    operations: ['change-feed', 'replace', 'query'],
    probability: 0.5,
    count: 200,
  })
  cleanup.push(() => admin(cosmos, 'DELETE', 'faults'))
  const rows = await store(200)
  await eventually(() => expect(numbers(one)).toEqual(wanted(rows)))
})

test('the lag of a stopped processor is what was stored since, in transactions and in seconds', async () => {
  const one = await start()
  const rows = await store(40)
  await eventually(() => expect(numbers(one)).toEqual(wanted(rows)))
  const { prefix } = one.processor
  const signal = new AbortController().signal
  const sum = async () => {
    const lags = await estimateLag({ container, leases, prefix, signal, now: () => Date.now() + 60_000 })
    return { items: lags.reduce((all, { items }) => all + items, 0), lags }
  }
  await one.processor.stop()
  expect((await sum()).items).toBe(0)
  await store(25)
  const { items, lags } = await sum()
  expect(items).toBe(25)
  for (const { items: behind, seconds } of lags)
    if (behind > 0) expect(Math.abs(seconds - 60)).toBeLessThan(5)
  const again = await start()
  await eventually(async () => expect((await sum()).items).toBe(0))
  expect(again.seen.length).toBe(25)
})

test('an AbortSignal ends it: leases are free at once and the places are kept', async () => {
  const stop = new AbortController()
  const one = await start({ signal: stop.signal, checkpointEveryMs: 60_000 })
  const rows = await store(30)
  await eventually(() => expect(numbers(one)).toEqual(wanted(rows)))
  stop.abort()
  await one.processor.done
  await one.processor.stop()
  const { resources } = await leases.items
    .query<{ Owner: string | null }>('SELECT c.Owner FROM c WHERE IS_DEFINED(c.generation)')
    .fetchAll()
  expect(resources.map(({ Owner }) => Owner)).toEqual([null, null, null, null])
  const two = await start()
  await eventually(() => expect(shares(two)).toEqual([4]))
  const later = await store(1)
  await eventually(() => expect(numbers(two)).toEqual(wanted(later)))
})

test('without a lease container it says so', async () => {
  await expect(start({ leases: container.database.container('nowhere') })).rejects.toMatchObject({
    code: 'LEASES_MISSING',
  })
})
