import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { seededRandom } from '@attune/core/testing'
import { afterEach, expect, test } from 'vitest'
import { run } from './refresh-value.ts'

const cleanup: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const action of cleanup.splice(0).reverse()) await action()
})

test('a shop whose newest tenth of visits goes another way: refreshed lists follow, stale ones do not', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'attune-refresh-'))
  cleanup.push(() => rm(folder, { recursive: true, force: true }))
  const random = seededRandom(5)
  const items = 120
  // One step on at first; 60 items on in the newest tenth, which no older visit does.
  const visits = Array.from({ length: 1_500 }, (_, visit) => {
    let item = Math.floor(random() * items)
    return Array.from({ length: 4 }, () => {
      const at = item
      item = (item + (visit < 1_350 ? 1 : 60 + Math.floor(random() * 2))) % items
      return `i${at}`
    }).join(' ')
  })
  await writeFile(join(folder, 'train.txt.gz'), gzipSync(visits.join('\n')))
  const result = await run(['--data', folder])
  expect(result).toMatchObject({ bench: 'refresh-value', prefixes: 225 })
  const [none, refresh] = [result['hr20_none'] as number, result['hr20_refresh'] as number]
  expect(refresh).toBeGreaterThan(none + 0.1)
}, 180_000)
