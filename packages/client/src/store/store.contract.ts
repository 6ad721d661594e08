import type { KeyValueStore, Pair } from './key-value.ts'

// Plain functions that throw, not Vitest tests: the same cases run in Node and inside a browser's page.

function same(received: unknown, expected: unknown): void {
  const [a, b] = [JSON.stringify(received), JSON.stringify(expected)]
  if (a !== b) throw new Error(`expected ${b}, received ${a}`)
}
const event = (id: string) => ({ id, item: `sku-${id}` })

type Case = (open: () => Promise<KeyValueStore>) => Promise<void>

export async function contentOf(store: Pick<KeyValueStore, 'update'>): Promise<Map<string, unknown>> {
  let found = new Map<string, unknown>()
  await store.update((all) => {
    found = all
    return []
  })
  return found
}

const under = async (store: KeyValueStore, prefix: string): Promise<unknown[]> =>
  [...(await contentOf(store))].flatMap(([key, value]) => (key.startsWith(prefix) ? [value] : []))

/** What every KeyValueStore must do; each case gets an empty one. */
export const STORE_CONTRACT: Readonly<Record<string, Case>> = {
  'what was put is there under its key, and the newest value counts': async (open) => {
    const store = await open()
    same([...(await contentOf(store))], [])
    await store.put([
      ['b', { deep: [1, 'two', null] }],
      ['a', 1],
    ])
    await store.put([['a', 2]])
    same([...(await contentOf(store))].toSorted(), [
      ['a', 2],
      ['b', { deep: [1, 'two', null] }],
    ])
  },
  'a pair without a value removes, in one step with what is put': async (open) => {
    const store = await open()
    await store.put([
      ['e:1', event('1')],
      ['e:2', event('2')],
    ])
    await store.put([['b:1', event('1')], ['e:1'], ['never there']])
    same([await under(store, 'e:'), await under(store, 'b:')], [[event('2')], [event('1')]])
  },
  'a write that has begun is seen by a read that begins after it': async (open) => {
    const store = await open()
    void store.put([['e:1', event('1')]])
    same(await under(store, 'e:'), [event('1')])
  },
  'what is read is changed in one step': async (open) => {
    const store = await open()
    const add = () => store.update((all) => [['after', ((all.get('after') ?? 0) as number) + 1]])
    await Promise.all([add(), add(), add()])
    same((await contentOf(store)).get('after'), 3)
    await store.update(() => [['after']])
    same((await contentOf(store)).has('after'), false)
  },
  'events become a batch in one step': async (open) => {
    const store = await open()
    void store.put([
      ['e:1', event('1')],
      ['e:2', event('2')],
    ])
    await store.update((all) => [['b:9', { id: '9', events: [...all.values()] }], ['e:1'], ['e:2']])
    same(
      [await under(store, 'e:'), await under(store, 'b:')],
      [[], [{ id: '9', events: [event('1'), event('2')] }]],
    )
  },
  'everything can be removed': async (open) => {
    const store = await open()
    await store.put([
      ['e:1', event('1')],
      ['facts', { visitor: 'v' }],
    ])
    await store.update((all) => [...all.keys()].map((key): Pair => [key]))
    same([...(await contentOf(store))], [])
  },
}
