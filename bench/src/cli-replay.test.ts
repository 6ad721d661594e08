import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { runCli } from '@attune/trainer-bridge'
import { afterEach, expect, test } from 'vitest'
import { startHouse } from './_loop.ts'
import { pushModel, randomModel } from './_model.ts'

const cleanup: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const action of cleanup.splice(0).reverse()) await action()
})

test.each([
  ['stores clicks and reads them back', []],
  ['sends clicks along', ['--no-store']],
])(
  'attune replay %s: every list of a real edge is fresh, and items clicked before are foreseen',
  async (_, more) => {
    const house = await startHouse(1)
    cleanup.push(() => house.close())
    const url = house.edges[0]?.url ?? ''
    await pushModel(url, house, randomModel(200))
    const folder = await mkdtemp(join(tmpdir(), 'attune-replay-'))
    cleanup.push(() => rm(folder, { recursive: true, force: true }))
    await writeFile(join(folder, 'test-sessions.txt.gz'), gzipSync('item-1 item-2\nitem-3 item-4 item-5\n'))
    const out: string[] = []
    const code = await runCli(
      ['replay', '--data', folder, '--edge', url, '--site-key', house.siteKey, '--json', ...more],
      {
        env: {},
        out: (text) => out.push(text),
        err: () => undefined,
        status: undefined,
        fetch,
        now: Date.now,
        signal: new AbortController().signal,
      },
    )
    expect(out.join()).toContain('"fresh":1')
    expect([code, JSON.parse(out.at(-1) ?? '{}')]).toMatchObject([0, { visits: 2, clicks: 5, ranks: 3 }])
  },
)
