import { CosmosClient, type Container, type ContainerRequest } from '@azure/cosmos'
import { DATABASE, EVENTS_CONTAINER, type BatchDocument, type TrackedEvent } from '@attune/core'

/** Makes the events container of a local account. */
export async function createEvents(
  { endpoint, key }: { endpoint: string; key: string },
  options: Partial<ContainerRequest> = {},
): Promise<Container> {
  const client = new CosmosClient({ endpoint, key })
  await client.databases.createIfNotExists({ id: DATABASE })
  const definition = { ...structuredClone(EVENTS_CONTAINER), ...options } as ContainerRequest
  const { container } = await client.database(DATABASE).containers.createIfNotExists(definition)
  return container
}

let next = 0

/** Stores clicks of one visitor as one batch. @returns the session token of the write */
export async function storeClicks(
  container: Container,
  visitor: string,
  items: readonly string[],
  at: number = Date.now(),
): Promise<string> {
  const events = items.map((item, index): TrackedEvent => ({
    id: `e${next++}`,
    kind: 'click',
    item,
    at: at + index,
  }))
  const document: BatchDocument = {
    id: `b${next++}`,
    visitor: `shop:${visitor}`,
    site: 'shop',
    at: at + items.length,
    received: at + items.length,
    events,
  }
  const { headers } = await container.items.create(document)
  return String(headers['x-ms-session-token'])
}
