import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'

/** Every module reached from `file`, by what its imports say. */
async function reached(
  file: string,
  seen: Map<string, string[]> = new Map(),
): Promise<Map<string, string[]>> {
  if (seen.has(file)) return seen
  const text = await readFile(join(import.meta.dirname, file), 'utf8')
  const imports = [...text.matchAll(/from '([^']+)'/g)].map((match) => match[1] ?? '')
  seen.set(file, imports)
  for (const one of imports) if (one.startsWith('./')) await reached(one.slice(2), seen)
  return seen
}

test('the change-feed processor can be published by itself: Cosmos and core is all it imports', async () => {
  const modules = await reached('index.ts')
  expect([...modules.keys()]).toEqual(expect.arrayContaining(['processor.ts', 'lag.ts', 'election.ts']))
  const outside = [...modules.values()].flat().filter((one) => !one.startsWith('./'))
  expect([...new Set(outside)].sort()).toEqual(['@attune/core', '@azure/cosmos'])
})
