import { CosmosClient } from '@azure/cosmos'
import { DATABASE, EVENTS_CONTAINER, type BatchDocument, type TrackedEvent } from '@attune/core'
import type { Stack } from './stack.ts'

/** Every event in Cosmos, as often as it is stored, read with Microsoft's own client. */
export async function storedEvents(stack: Stack): Promise<TrackedEvent[]> {
  const { cosmos: key } = await stack.keys()
  const client = new CosmosClient({ endpoint: stack.cosmos, key })
  try {
    const container = client.database(DATABASE).container(EVENTS_CONTAINER.id)
    const { resources } = await container.items.readAll<BatchDocument>().fetchAll()
    return resources.flatMap(({ events }) => events)
  } finally {
    client.dispose()
  }
}
