import { CosmosClient, type CosmosClientOptions, type PluginConfig } from '@azure/cosmos'
import { DATABASE, EVENTS_CONTAINER, type BatchDocument } from '@attune/core'
import { SITE } from './api.ts'

/** The official client beside the edge: what it makes of the same visitor, token and regions. */
export class OfficialSdk {
  readonly #client: CosmosClient

  constructor(cosmos: { readonly endpoint: string; readonly key: string }, regions: string[]) {
    // The server calls itself localhost, for which the SDK ignores regions; with another name it behaves as in Azure.
    const named: PluginConfig = {
      on: 'request',
      plugin: async (context, _, next) => {
        const answer = await next(context)
        const account = answer.result as { id?: string } | undefined
        if (account?.id === 'localhost') account.id = 'account'
        return answer
      },
    }
    const options: CosmosClientOptions = {
      endpoint: cosmos.endpoint,
      key: cosmos.key,
      connectionPolicy: { preferredLocations: regions },
    }
    // Plugins are there, but left out of the published type.
    this.#client = new CosmosClient(Object.assign(options, { plugins: [named] }))
  }

  /** Events of a visitor as a session read finds them. Throws what the SDK throws. */
  async events(visitor: string, session: string): Promise<number> {
    const { resources } = await this.#client
      .database(DATABASE)
      .container(EVENTS_CONTAINER.id)
      .items.query<BatchDocument>('SELECT * FROM c', {
        partitionKey: `${SITE.id}:${visitor.slice(0, 22)}`,
        sessionToken: session,
      })
      .fetchAll()
    return resources.reduce((sum, { events }) => sum + events.length, 0)
  }

  close(): void {
    this.#client.dispose()
  }
}
