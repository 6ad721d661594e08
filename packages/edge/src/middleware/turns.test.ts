import { Hono } from 'hono'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { AppEnv } from '../app.ts'
import type { Config } from '../config.ts'
import { takeTurns } from './turns.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'performance'] })
})

afterEach(() => {
  vi.useRealTimers()
})

/** An edge whose requests take as many milliseconds as their path says; an address may ask `burst` at once. */
function edge(burst: number | undefined): {
  ask(address: string, ms: number): Promise<unknown>
  begun: string[]
} {
  const limits = burst === undefined ? {} : { address: { perSecond: 1_000, burst } }
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
  app.get('/:ms', async (c) => {
    begun.push(c.req.header('from') ?? '')
    await new Promise((resolve) => setTimeout(resolve, Number(c.req.param('ms'))))
    return c.text('')
  })
  return {
    begun,
    ask: (address, ms) => Promise.resolve(app.request(`/${ms}`, { headers: { from: address } })),
  }
}

test('a tenth of an address’s burst is worked on at a time, others do not wait for it', async () => {
  const { ask, begun } = edge(50)
  const answers = Array.from({ length: 12 }, () => ask('a', 100))
  await vi.advanceTimersByTimeAsync(0)
  expect(begun).toEqual(Array.from({ length: 5 }, () => 'a'))
  answers.push(ask('b', 100))
  await vi.advanceTimersByTimeAsync(0)
  expect(begun).toHaveLength(6)
  await vi.advanceTimersByTimeAsync(105)
  expect(begun).toHaveLength(11)
  await vi.advanceTimersByTimeAsync(300)
  await Promise.all(answers)
  expect(begun).toHaveLength(13)
})

test('nobody waits longer than a second, and not at all where addresses are not limited', async () => {
  const { ask, begun } = edge(1)
  const answers = Array.from({ length: 6 }, () => ask('a', 1_900))
  await vi.advanceTimersByTimeAsync(990)
  expect(begun).toHaveLength(4)
  await vi.advanceTimersByTimeAsync(20)
  expect(begun).toHaveLength(6)
  await vi.advanceTimersByTimeAsync(3_000)
  await Promise.all(answers)

  const open = edge(undefined)
  const all = Array.from({ length: 20 }, () => open.ask('a', 10))
  await vi.advanceTimersByTimeAsync(0)
  expect(open.begun).toHaveLength(20)
  await vi.advanceTimersByTimeAsync(10)
  await Promise.all(all)
})

test('a turn that was never given back is free after two seconds', async () => {
  const { ask, begun } = edge(1)
  // As in workerd, where nothing may come of a request whose caller went away.
  for (let n = 0; n < 4; n++) void ask('a', 1_000_000)
  await vi.advanceTimersByTimeAsync(1_999)
  const late = ask('a', 10)
  await vi.advanceTimersByTimeAsync(0)
  expect(begun).toHaveLength(4)
  await vi.advanceTimersByTimeAsync(20)
  expect(begun).toHaveLength(5)
  await late
})
