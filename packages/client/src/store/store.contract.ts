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
    same(await store.read(['a']), [[]])
    await store.put([
      ['a', 1],
      ['b', { deep: [1, 'two', null] }],
    ])
    await store.put([['a', 2]])
    same(await store.read(['a', 'b']), [[2], [{ deep: [1, 'two', null] }]])
  },
  'a pair without a value removes, in one step with what is put': async (open) => {
    const store = await open()
    await store.put([
      ['e:1', event('1')],
      ['e:2', event('2')],
    ])
    await store.put([['b:1', event('1')], ['e:1'], ['never there']])
    same(await store.read(['e:', 'b:']), [[event('2')], [event('1')]])
  },
  'read() finds what starts with a prefix and nothing else': async (open) => {
    const store = await open()
    await store.put([
      ['e:1', event('1')],
      ['e', event('no')],
      ['f:1', event('no')],
      ['e:0190a000-0000-7000-8000-00000000000f', event('2')],
      ['facts', {}],
    ])
    const [found = []] = await store.read(['e:'])
    same(found.map((each) => (each as { id: string }).id).sort(), ['1', '2'])
    same(await store.read(['x:']), [[]])
  },
  'a write that has begun is seen by a read that begins after it': async (open) => {
    const store = await open()
    void store.put([['e:1', event('1')]])
    same(await store.read(['e:']), [[event('1')]])
  },
  'what is read is changed in one step': async (open) => {
    const store = await open()
    const add = () => store.update(['after'], ([[after = 0] = []]) => [['after', (after as number) + 1]])
    await Promise.all([add(), add(), add()])
    same(await store.read(['after']), [[3]])
    await store.update(['after'], () => [['after']])
    same(await store.read(['after']), [[]])
  },
  'events become a batch in one step': async (open) => {
    const store = await open()
    void store.put([
      ['e:1', event('1')],
      ['e:2', event('2')],
    ])
    await store.update(['b:', 'e:'], ([batches, events]) => {
      same([batches, events], [[], [event('1'), event('2')]])
      return [['b:9', { id: '9', events }], ['e:1'], ['e:2']]
    })
    same(await store.read(['e:', 'b:']), [[], [{ id: '9', events: [event('1'), event('2')] }]])
  },
  'clear forgets everything': async (open) => {
    const store = await open()
    await store.put([
      ['e:1', event('1')],
      ['facts', { visitor: 'v' }],
    ])
    await store.clear()
    same(await store.read(['e:', 'facts']), [[], []])
  },
}
