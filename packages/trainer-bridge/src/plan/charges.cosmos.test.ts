import { ChangeFeedStartFrom, CosmosClient, type ContainerRequest } from '@azure/cosmos'
import { DATABASE, DECISIONS_CONTAINER, EVENTS_CONTAINER, type DecisionDocument } from '@attune/core'
import { startCosmosLocal } from '@attune/cosmos-local'
import { afterEach, expect, test } from 'vitest'
import { BYTES_A_BATCH, CHARGES } from './charges.ts'

const cleanup: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const action of cleanup.splice(0).reverse()) await action()
})

/** Apart by at most this share: documents differ by a few bytes. */
const near = (figure: number, metered: number) =>
  expect(Math.abs(figure / metered - 1), `${figure}, metered ${metered}`).toBeLessThan(0.05)

test('what `attune plan` reckons with for the feed and for decisions is what the meter says: 40 batches read in one page, an empty read, a list of 20 kept', async () => {
  const cosmos = await startCosmosLocal({ port: 0 })
  cleanup.push(() => cosmos.close())
  const client = new CosmosClient({ endpoint: cosmos.endpoint, key: cosmos.key })
  const { database } = await client.databases.createIfNotExists({ id: DATABASE })
  const create = async (definition: unknown) =>
    (await database.containers.createIfNotExists(structuredClone(definition) as ContainerRequest)).container
  const events = await create(EVENTS_CONTAINER)
  for (let index = 0; index < 40; index++) {
    const document = { id: `b${index}`, visitor: `shop:v${index}`, at: index, events: [] as unknown[] }
    const filler = 'x'.repeat(BYTES_A_BATCH - JSON.stringify({ ...document, events: [''] }).length)
    await events.items.create({ ...document, events: [filler] })
  }
  const feed = events.items.getChangeFeedIterator({
    changeFeedStartFrom: ChangeFeedStartFrom.Beginning(),
    maxItemCount: 100,
  })
  const page = await feed.readNext()
  expect(page.count).toBe(40)
  near(CHARGES.feedPerBatch, (page.requestCharge - CHARGES.feedEmpty) / 40)
  near(CHARGES.feedEmpty, (await feed.readNext()).requestCharge)
  const decisions = await create(DECISIONS_CONTAINER)
  const kept: DecisionDocument = {
    id: crypto.randomUUID(),
    visitor: 'shop:0123456789abcdef',
    site: 'shop',
    sampled: 1,
    decisions: [
      {
        id: crypto.randomUUID(),
        slot: 'for-you',
        strategy: 'for-you',
        epoch: 12,
        delta: 345,
        fresh: true,
        at: 1_764_000_000_000,
        items: Array.from({ length: 20 }, (_, place) => `sku-${1_000 + place}`),
        scores: Array.from({ length: 20 }, (_, place) => 3.5 / (place + 1)),
      },
    ],
  }
  const { requestCharge } = await decisions.items.create(kept)
  near(CHARGES.decision, requestCharge)
}, 60_000)
