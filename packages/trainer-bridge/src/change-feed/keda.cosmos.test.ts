import { createHmac } from 'node:crypto'
import type { Container, ContainerRequest } from '@azure/cosmos'
import { LEASES_CONTAINER } from '@attune/core'
import { startCosmosLocal, type CosmosLocal } from '@attune/cosmos-local'
import { expect, test, vi } from 'vitest'
import { split } from '../testing/cosmos-admin.ts'
import { createEvents } from '../testing/events-container.ts'
import { startChangeFeedProcessor } from './processor.ts'

// What KEDA 2.21.0's `azure-cosmosdb` scaler asks Cosmos for, request by request, after its pkg/scalers/azure_cosmosdb_scaler.go
// (queryLeases, readChangeFeed, estimatePartitionLag, parseLSNFromSessionToken).

interface Estimate {
  readonly leases: number
  readonly lag: number
  /** Partitions that answered 410/1002: leases of a parent that was split. */
  readonly stale: number
}

async function ask(
  { endpoint, key }: CosmosLocal,
  method: string,
  link: string,
  headers: Record<string, string>,
  body?: string,
): Promise<Response> {
  const date = new Date().toUTCString()
  const text = `${method.toLowerCase()}\ndocs\n${link}\n${date.toLowerCase()}\n\n`
  const signature = createHmac('sha256', Buffer.from(key, 'base64')).update(text).digest('base64')
  return fetch(`${endpoint.replace(/\/$/, '')}/${link}/docs`, {
    method,
    headers: {
      'x-ms-date': date,
      'x-ms-version': '2018-12-31',
      authorization: encodeURIComponent(`type=master&ver=1.0&sig=${signature}`),
      ...headers,
    },
    ...(body !== undefined && { body }),
  })
}

async function estimate(cosmos: CosmosLocal, processorName: string): Promise<Estimate> {
  const account = new URL(cosmos.endpoint).hostname.split('.')[0]
  const query = {
    query: 'SELECT * FROM c WHERE STARTSWITH(c.id, @prefix)',
    parameters: [{ name: '@prefix', value: `${processorName}${account}.` }],
  }
  const found = await ask(
    cosmos,
    'POST',
    'dbs/attune/colls/leases',
    {
      'content-type': 'application/query+json',
      'x-ms-documentdb-isquery': 'true',
      'x-ms-documentdb-query-enablecrosspartition': 'true',
    },
    JSON.stringify(query),
  )
  const { Documents } = (await found.json()) as {
    Documents: { LeaseToken?: string; ContinuationToken?: string }[]
  }
  const leases = Documents.filter(({ LeaseToken }) => LeaseToken !== undefined && LeaseToken !== '')
  let lag = 0
  let stale = 0
  for (const { LeaseToken = '', ContinuationToken = '' } of leases) {
    const page = await ask(cosmos, 'GET', 'dbs/attune/colls/events', {
      'x-ms-documentdb-partitionkeyrangeid': LeaseToken,
      'a-im': 'Incremental feed',
      'x-ms-max-item-count': '1',
      ...(ContinuationToken !== '' && { 'if-none-match': ContinuationToken }),
    })
    if (page.status === 410 && page.headers.get('x-ms-substatus') === '1002') stale++
    if (page.status !== 200) continue
    const [first] = ((await page.json()) as { Documents: { _lsn: number }[] }).Documents
    const token = (page.headers.get('x-ms-session-token') ?? '').split(':')[1] ?? ''
    const segments = token.split('#')
    if (first !== undefined) lag += Number(segments[segments.length > 1 ? 1 : 0]) - first._lsn + 1
  }
  return { leases: leases.length, lag, stale }
}

test('KEDA’s scaler finds our leases and estimates the lag that there is, also after a split', async () => {
  const cosmos = await startCosmosLocal({ port: 0 })
  try {
    const container = await createEvents(cosmos, { throughput: 40_000 })
    await container.database.containers.createIfNotExists(
      structuredClone(LEASES_CONTAINER) as ContainerRequest,
    )
    const leases = container.database.container(LEASES_CONTAINER.id)
    let seen = 0
    const start = () =>
      startChangeFeedProcessor({
        container,
        leases,
        endpoint: cosmos.endpoint,
        name: 'attune',
        roundMs: 50,
        idleMs: 5,
        onChanges: (documents) => {
          seen += documents.length
          return Promise.resolve()
        },
      })
    const first = await start()
    await store(container, 20)
    await vi.waitFor(() => expect(seen).toBe(20), 20_000)
    await first.stop()
    expect(await estimate(cosmos, 'attune')).toEqual({ leases: 4, lag: 0, stale: 0 })
    expect((await estimate(cosmos, 'attun')).leases).toBe(0)
    await store(container, 37)
    expect(await estimate(cosmos, 'attune')).toEqual({ leases: 4, lag: 37, stale: 0 })
    await split(cosmos, 'events')
    expect((await estimate(cosmos, 'attune')).stale).toBe(1)
    const second = await start()
    await vi.waitFor(() => expect([seen, second.ranges.length]).toEqual([57, 5]), 20_000)
    await second.stop()
    await store(container, 21)
    expect(await estimate(cosmos, 'attune')).toEqual({ leases: 5, lag: 21, stale: 0 })
  } finally {
    await cosmos.close()
  }
})

let next = 0
async function store(container: Container, count: number): Promise<void> {
  for (let index = 0; index < count; index++)
    await container.items.create({ id: `${next++}`, visitor: `v${index}` })
}
