import type { KeyValueStore } from './key-value.ts'

// Plain functions that throw, not Vitest tests: the same cases run in Node and inside a browser's page.

function same(received: unknown, expected: unknown): void {
  const [a, b] = [JSON.stringify(received), JSON.stringify(expected)]
  if (a !== b) throw new Error(`expected ${b}, received ${a}`)
}
const event = (id: string) => ({ id, item: `sku-${id}` })

type Case = (open: () => Promise<KeyValueStore>) => Promise<void>

/** What every KeyValueStore must do; each case gets an empty one. */
export const STORE_CONTRACT: Readonly<Record<string, Case>> = {
  'what was put is there under its key, and the newest value counts': async (open) => {
    const store = await open()
    same(await store.get('a'), undefined)
    await store.put([
      ['a', 1],
      ['b', { deep: [1, 'two', null] }],
    ])
    await store.put([['a', 2]])
    same([await store.get('a'), await store.get('b')], [2, { deep: [1, 'two', null] }])
  },
  'a pair without a value removes, in one step with what is put': async (open) => {
    const store = await open()
    await store.put([
      ['e:1', event('1')],
      ['e:2', event('2')],
    ])
    await store.put([['b:1', event('1')], ['e:1'], ['never there']])
    same([await store.all('e:'), await store.all('b:')], [[event('2')], [event('1')]])
  },
  'all() finds what starts with the prefix and nothing else': async (open) => {
    const store = await open()
    await store.put([
      ['e:1', event('1')],
      ['e', event('no')],
      ['f:1', event('no')],
      ['e:0190a000-0000-7000-8000-00000000000f', event('2')],
      ['facts', {}],
    ])
    const ids = (await store.all('e:')).map((found) => (found as { id: string }).id)
    same(ids.sort(), ['1', '2'])
    same(await store.all('x:'), [])
  },
  'a write that has begun is seen by a read that begins after it': async (open) => {
    const store = await open()
    void store.put([['e:1', event('1')]])
    same(await store.all('e:'), [event('1')])
  },
  'facts are changed in one step': async (open) => {
    const store = await open()
    const add = () => store.update('after', (kept) => ((kept as number | undefined) ?? 0) + 1)
    const results = await Promise.all([add(), add(), add()])
    same([...results].sort(), [1, 2, 3])
    same(await store.get('after'), 3)
    await store.update('after', () => undefined)
    same(await store.get('after'), undefined)
  },
  'clear forgets everything': async (open) => {
    const store = await open()
    await store.put([
      ['e:1', event('1')],
      ['facts', { visitor: 'v' }],
    ])
    await store.clear()
    same([await store.all('e:'), await store.get('facts')], [[], undefined])
  },
}
