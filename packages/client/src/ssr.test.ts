import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const run = promisify(execFile)

test('on a server every entry can be imported and used: no global is touched, nothing is asked, nothing keeps the process', async () => {
  const { exports } = JSON.parse(await readFile(new URL('../package.json', import.meta.url), 'utf8')) as {
    exports: Record<string, { '@attune/source'?: string }>
  }
  const entries = Object.entries(exports).flatMap(([path, { '@attune/source': source }]) =>
    source ? [`@attune/client${path.slice(1)}`] : [],
  )
  expect(entries.length).toBeGreaterThan(5)
  const program = `
    const asked = []
    globalThis.fetch = async (url) => (asked.push(String(url)), Response.error())
    const globals = () => Object.getOwnPropertyNames(globalThis).sort().join()
    const before = globals()
    const all = await Promise.all(${JSON.stringify(entries)}.map((entry) => import(entry)))
    const { createClient, createTracker, onDevice, onBack, trackDwell } = Object.assign({}, ...all)
    const options = { endpoint: 'https://edge.example.com', site: 'key' }
    const client = createClient({ ...options, device: [onDevice(), onBack()] })
    createTracker(options)
    client.slot('list', {})
    client.use((event) => event)
    trackDwell(client)()
    await client.refresh()
    console.log(JSON.stringify({ asked, same: globals() === before, visitor: (await client.visitor()) ?? null }))`
  const { stdout } = await run(
    process.execPath,
    ['--conditions=@attune/source', '--input-type=module', '--eval', program],
    { cwd: new URL('..', import.meta.url), timeout: 60_000 },
  )
  expect(JSON.parse(stdout)).toEqual({ asked: [], same: true, visitor: null })
})
