import { expect, test } from 'vitest'
import { effectivePartitionKey, evenRanges, middle } from './epk.ts'
import type { PartitionKeyDefinition } from './key.ts'

const v2: PartitionKeyDefinition = { paths: ['/a'], kind: 'Hash', version: 2 }
const v1: PartitionKeyDefinition = { paths: ['/a'], kind: 'Hash', version: 1 }

test('keys of version 2 agree with those that @azure/cosmos computes', async () => {
  const { createRequire } = await import('node:module')
  const { dirname, join } = await import('node:path')
  const { pathToFileURL } = await import('node:url')
  const entry = createRequire(import.meta.url).resolve('@azure/cosmos')
  const folder = join(dirname(entry), '../esm/utils/hashing')
  const load = async (file: string) =>
    (await import(/* @vite-ignore */ pathToFileURL(join(folder, file)).href)) as Record<
      string,
      (key: unknown[]) => string
    >
  const { hashV2PartitionKey } = await load('v2.js')
  const { hashV1PartitionKey } = await load('v1.js')
  const keys = [
    '',
    'a',
    'x'.repeat(15),
    'x'.repeat(16),
    'x'.repeat(33),
    'é✓',
    1,
    -1,
    1.5,
    1e300,
    true,
    false,
    null,
    undefined,
  ]
  for (const key of keys) {
    expect(effectivePartitionKey([key], v2)).toBe(hashV2PartitionKey?.([key]))
    expect(effectivePartitionKey([key], v1)).toBe(hashV1PartitionKey?.([key]))
  }
})

test('a hierarchical key begins with the key of its prefix', () => {
  const multi: PartitionKeyDefinition = { paths: ['/a', '/b'], kind: 'MultiHash', version: 2 }
  const whole = effectivePartitionKey(['a', 'b'], multi)
  expect(whole.startsWith(effectivePartitionKey(['a'], multi))).toBe(true)
  expect(whole).toHaveLength(64)
})

test.each([v1, v2])(
  'four ranges cover all keys and each can be cut in its middle (version %#)',
  (definition) => {
    const ranges = evenRanges(4, definition)
    expect([ranges[0]?.min, ranges[3]?.max]).toEqual(['', 'FF'])
    for (const { min, max } of ranges) {
      const cut = middle(min, max, definition)
      expect(min < cut && cut < max).toBe(true)
    }
  },
)
