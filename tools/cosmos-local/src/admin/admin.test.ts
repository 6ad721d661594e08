import { afterAll, beforeAll, expect, test } from 'vitest'
import { request } from 'node:http'
import { startCosmosLocal, type CosmosLocal } from '../index.ts'

let cosmos: CosmosLocal

beforeAll(async () => {
  cosmos = await startCosmosLocal({ port: 0 })
})

afterAll(() => cosmos.close())

function statusOf(
  path: string,
  options: { method?: string; headers?: Record<string, string> },
): Promise<number> {
  return new Promise((resolve, reject) => {
    const url = new URL(path, cosmos.adminEndpoint)
    const outgoing = request(url, options, (response) => {
      response.resume()
      resolve(response.statusCode ?? 0)
    })
    outgoing.on('error', reject)
    outgoing.end()
  })
}

test('the data explorer is one page', async () => {
  const response = await fetch(cosmos.adminEndpoint)
  expect(response.headers.get('content-type')).toContain('text/html')
  expect(await response.text()).toContain('<title>cosmos-local</title>')
})

test('another name in the Host header is refused: no page of another site can read the data', async () => {
  expect(await statusOf('/api/account', { headers: { host: 'evil.example' } })).toBe(403)
})

test('a change that is not JSON is refused: forms of other sites cannot make one', async () => {
  const headers = { 'content-type': 'text/plain' }
  expect(await statusOf('/api/failover', { method: 'POST', headers })).toBe(415)
})

test('a server starts and answers within 300 ms', async () => {
  // The best of five: other tests share the machine.
  let best = Infinity
  for (let i = 0; i < 5; i++) {
    const start = performance.now()
    const other = await startCosmosLocal({ port: 0 })
    expect((await fetch(other.endpoint)).status).toBe(401)
    best = Math.min(best, performance.now() - start)
    await other.close()
  }
  expect(best).toBeLessThan(300)
})
