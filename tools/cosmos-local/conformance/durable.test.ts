import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startCosmosLocal } from '../src/index.ts'
import { raw } from './js/world.ts'

const DOCS = '/dbs/d/colls/c/docs'

test('kill -9 in the middle of writes loses nothing acknowledged and shows no half batch', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cosmos-kill-'))
  const child = fork(join(import.meta.dirname, 'checker/server.ts'), [JSON.stringify({ port: 0, folder })], {
    execArgv: ['--no-warnings'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const [started] = (await once(child, 'message')) as [{ regions: { endpoint: string }[]; key: string }]
  const endpoint = started.regions[0]?.endpoint ?? ''
  const send = (path: string, headers: Record<string, string>, body: unknown) =>
    raw(endpoint, started.key, 'POST', path, { headers, body: JSON.stringify(body) })
  await send('/dbs', {}, { id: 'd' })
  await send('/dbs/d/colls', {}, { id: 'c', partitionKey: { paths: ['/pk'], kind: 'Hash', version: 2 } })
  const acknowledged: string[] = []
  const batches: number[] = []
  const running = { on: true }
  const workers = Array.from({ length: 6 }, async (_, worker) => {
    for (let i = 0; running.on; i++) {
      const pk = `w${worker}`
      const key = { 'x-ms-documentdb-partitionkey': JSON.stringify([pk]) }
      try {
        const one = await send(DOCS, key, { id: `${i}`, pk })
        if (one.status === 201) acknowledged.push(`${pk}/${i}`)
        const operations = ['l', 'm', 'r'].map((side) => ({
          operationType: 'Create',
          resourceBody: { id: `${i}${side}`, pk, batch: `${pk}-${i}` },
        }))
        const atomic = { ...key, 'x-ms-cosmos-is-batch-request': 'True', 'x-ms-cosmos-batch-atomic': 'True' }
        const three = await send(DOCS, atomic, operations)
        if (three.status === 200) {
          batches.push(i)
          for (const side of ['l', 'm', 'r']) acknowledged.push(`${pk}/${i}${side}`)
        }
      } catch {
        return
      }
    }
  })
  const deadline = Date.now() + 20_000
  while (acknowledged.length < 100 && Date.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 20))
  child.kill('SIGKILL')
  await once(child, 'exit')
  running.on = false
  await Promise.all(workers)
  const again = await startCosmosLocal({ port: 0, folder })
  const stored: { id: string; pk: string; batch?: string }[] = []
  for (let worker = 0; worker < 6; worker++) {
    const headers = { 'x-ms-documentdb-partitionkey': `["w${worker}"]`, 'x-ms-max-item-count': '10000' }
    const page = await raw(again.endpoint, again.key, 'GET', DOCS, { headers })
    stored.push(...(page.json['Documents'] as typeof stored))
  }
  await again.close()
  await rm(folder, { recursive: true })
  const names = new Set(stored.map((one) => `${one.pk}/${one.id}`))
  expect(acknowledged.length).toBeGreaterThan(20)
  expect(acknowledged.filter((name) => !names.has(name))).toEqual([])
  const sizes = new Map<string, number>()
  for (const { batch } of stored) if (batch !== undefined) sizes.set(batch, (sizes.get(batch) ?? 0) + 1)
  expect([...sizes.values()].filter((size) => size !== 3)).toEqual([])
  expect(batches.length).toBeGreaterThan(0)
})
