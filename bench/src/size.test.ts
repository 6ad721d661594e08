import { beforeAll, expect, test } from 'vitest'
import { builds } from './_client-build.ts'
import { BUDGETS, measure } from './size.ts'

let files: Map<string, string>
let sizes: Awaited<ReturnType<typeof measure>>
beforeAll(async () => {
  files = await builds()
  sizes = await measure(files)
})

test.each(Object.entries(BUDGETS))('%s is at most %i bytes', (name, budget) => {
  expect(sizes[name as keyof typeof BUDGETS]).toBeGreaterThan(100)
  expect(sizes[name as keyof typeof BUDGETS]).toBeLessThanOrEqual(budget)
})

test('a kilobyte that a mistake brings into a page shows: each figure grows beyond its budget', async () => {
  // Text that gzip cannot make shorter, where every import of the file runs into it.
  let seed = 1
  const noise = Array.from({ length: 3_000 }, () =>
    (33 + ((seed = (seed * 48_271) % 2_147_483_647) % 90)).toString(36),
  ).join('')
  const bloated = new Map(
    [...files].map(([name, code]) => [name, `globalThis.bloat=${JSON.stringify(noise)};${code}`]),
  )
  const bloat = await measure(bloated)
  for (const [name, budget] of Object.entries(BUDGETS)) {
    // What comes on top of the client is a difference, in which common bloat is not seen.
    if (name !== 'on_device_gz') expect(bloat[name as keyof typeof BUDGETS], name).toBeGreaterThan(budget)
  }
})
