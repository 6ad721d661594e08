import { Hono } from 'hono'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { AppEnv } from '../app.ts'
import type { Config } from '../config.ts'
import { readBytes } from './body.ts'
import { takeTurns } from './turns.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
})

afterEach(() => {
  vi.useRealTimers()
})

/** An edge whose requests take as many milliseconds as their path says, once their body is there. */
function edge(isLimited: boolean): {
  ask(address: string, ms: number, body?: ReadableStream): Promise<Response>
  begun: string[]
} {
  const limits = isLimited ? { address: { perSecond: 1_000, burst: 1_000 } } : {}
  const begun: string[] = []
  const app = new Hono<AppEnv>()
  app.use(
    '*',
    takeTurns({
      config: { limits } as Config,
      addressOf: (c) => c.req.header('from'),
      elapsed: () => performance.now(),
    }),
  )
  app.all('/:ms', async (c) => {
    if (c.req.method === 'POST') await readBytes(c, 100)
    begun.push(c.req.header('from') ?? '')
    await new Promise((resolve) => setTimeout(resolve, Number(c.req.param('ms'))))
    return c.text('')
  })
  return {
    begun,
    ask: async (address, ms, body) =>
      app.request(`/${ms}`, {
        headers: { from: address },
        ...(body !== undefined && { method: 'POST', body, duplex: 'half' }),
      } as RequestInit),
  }
}

const whole = (): ReadableStream => new Blob(['{}']).stream()

/** Bodies are read by streams, whose steps are not timers. */
async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms)
  for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve))
}

test.each([
  ['GET', () => undefined],
  ['POST', whole],
])('%s: four requests of an address are worked on at a time, others do not wait for it', async (_, body) => {
  const { ask, begun } = edge(true)
  const answers = Array.from({ length: 10 }, () => ask('a', 100, body()))
  await pass(0)
  expect(begun).toEqual(['a', 'a', 'a', 'a'])
  answers.push(ask('b', 100, body()))
  await pass(0)
  expect(begun).toEqual(['a', 'a', 'a', 'a', 'b'])
  await pass(110)
  expect(begun).toHaveLength(9)
  await pass(110)
  await pass(110)
  await Promise.all(answers)
  expect(begun).toHaveLength(11)
})

test('bodies that come slowly hold no turn for longer than 20 ms, and wait for one when they are there', async () => {
  const { ask, begun } = edge(true)
  const slow: ReadableStreamDefaultController[] = []
  const answers = Array.from({ length: 6 }, () =>
    ask('a', 1, new ReadableStream({ start: (controller) => void slow.push(controller) })),
  )
  await pass(0)
  expect(begun).toEqual([])
  answers.push(ask('a', 100, whole()))
  await pass(15)
  expect(begun).toEqual([])
  await pass(10)
  await pass(25)
  expect(begun).toEqual(['a'])
  for (const body of slow) body.close()
  await pass(0)
  expect(begun).toHaveLength(4)
  await pass(0)
  for (let n = 0; n < 4; n++) await pass(10)
  await pass(100)
  await Promise.all(answers)
  expect(begun).toHaveLength(7)
})

test('nobody waits longer than a quarter of a second, and not at all where addresses are not limited', async () => {
  const { ask, begun } = edge(true)
  const answers = Array.from({ length: 6 }, () => ask('a', 1_900))
  await pass(240)
  expect(begun).toHaveLength(4)
  await pass(20)
  expect(begun).toHaveLength(6)
  await pass(3_000)
  await Promise.all(answers)

  const open = edge(false)
  const all = Array.from({ length: 20 }, () => open.ask('a', 10))
  await pass(0)
  expect(open.begun).toHaveLength(20)
  await pass(10)
  await Promise.all(all)
})

test('a turn that was never given back is free after two seconds', async () => {
  const { ask, begun } = edge(true)
  // As in workerd, where nothing may come of a request whose caller went away.
  for (let n = 0; n < 4; n++) void ask('a', 1_000_000)
  await pass(1_990)
  const late = ask('a', 10)
  await pass(0)
  expect(begun).toHaveLength(4)
  await pass(20)
  expect(begun).toHaveLength(5)
  await pass(20)
  await late
})
