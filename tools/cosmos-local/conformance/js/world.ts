import { CosmosClient, type Container, type ContainerRequest, type Database } from '@azure/cosmos'
import { startCosmosLocal, type CosmosLocal, type CosmosLocalOptions } from '../../src/index.ts'
import { sign } from '../../src/protocol/auth.ts'

/** One thing that Cosmos does, checked over HTTP. */
export interface Check {
  readonly name: string
  readonly run: (world: World) => Promise<void>
}

/** A server, a client of Microsoft's and what checks share. */
export interface World {
  readonly cosmos: CosmosLocal
  readonly client: CosmosClient
  readonly database: Database
  /** A new container; partition key /pk unless said otherwise. */
  container(definition?: Partial<ContainerRequest>): Promise<Container>
  /** A request signed by hand: for what the SDK would not send. */
  raw(method: string, path: string, options?: RawOptions): Promise<RawReply>
  admin(method: string, path: string, body?: unknown): Promise<unknown>
  /** Another server, closed at the end. */
  another(options: CosmosLocalOptions): Promise<{ cosmos: CosmosLocal; client: CosmosClient }>
  close(): Promise<void>
}

export interface RawOptions {
  readonly headers?: Record<string, string>
  readonly body?: string
  readonly endpoint?: string
  readonly key?: string
}

export interface RawReply {
  readonly status: number
  readonly substatus: number
  readonly headers: Headers
  readonly text: string
  readonly json: Record<string, unknown>
}

export function clientOf(endpoint: string, key: string, preferredLocations?: string[]): CosmosClient {
  return new CosmosClient({
    endpoint,
    key,
    connectionPolicy: {
      enableBackgroundEndpointRefreshing: false,
      ...(preferredLocations && { preferredLocations }),
    },
  })
}

export async function raw(
  endpoint: string,
  key: string,
  method: string,
  path: string,
  options: RawOptions = {},
): Promise<RawReply> {
  const segments = path.split('/').filter((part) => part !== '')
  const even = segments.length % 2 === 0
  const type = (even ? segments.at(-2) : segments.at(-1)) ?? ''
  const link = (even ? segments : segments.slice(0, -1)).map(decodeURIComponent).join('/')
  const date = new Date().toUTCString()
  const response = await fetch(endpoint + path, {
    method,
    headers: {
      authorization: sign(options.key ?? key, method, type, link, date),
      'x-ms-date': date,
      'x-ms-version': '2020-07-15',
      ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(options.body === undefined ? {} : { body: options.body }),
  })
  const text = await response.text()
  return {
    status: response.status,
    substatus: Number(response.headers.get('x-ms-substatus') ?? 0),
    headers: response.headers,
    text,
    json: text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {},
  }
}

export async function makeWorld(options: CosmosLocalOptions = {}): Promise<World> {
  const cosmos = await startCosmosLocal({ port: 0, ...options })
  const client = clientOf(cosmos.endpoint, cosmos.key)
  const { database } = await client.databases.createIfNotExists({ id: 'conformance' })
  const others: { cosmos: CosmosLocal; client: CosmosClient }[] = []
  let containers = 0
  return {
    cosmos,
    client,
    database,
    container: async (definition = {}) => {
      const made = await database.containers.create({
        id: `c${++containers}`,
        partitionKey: { paths: ['/pk'], version: 2 },
        ...definition,
      } as ContainerRequest)
      return made.container
    },
    raw: (method, path, given = {}) =>
      raw(given.endpoint ?? cosmos.endpoint, cosmos.key, method, path, given),
    admin: async (method, path, body) => {
      const response = await fetch(`${cosmos.adminEndpoint}/api/${path}`, {
        method,
        ...(body === undefined
          ? {}
          : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      })
      if (!response.ok)
        throw new Error(`admin ${method} ${path}: ${response.status} ${await response.text()}`)
      return response.json()
    },
    another: async (given) => {
      const started = await startCosmosLocal({ port: 0, ...given })
      const other = { cosmos: started, client: clientOf(started.endpoint, started.key) }
      others.push(other)
      return other
    },
    close: async () => {
      for (const other of others) {
        other.client.dispose()
        await other.cosmos.close()
      }
      client.dispose()
      await cosmos.close()
    },
  }
}

/** The status and substatus of what a call throws; 0 when it does not throw. */
export async function failure(
  work: Promise<unknown>,
): Promise<{ code: number; substatus: number; message: string }> {
  try {
    await work
  } catch (error) {
    const { code, substatus, message } = error as { code?: number; substatus?: number; message?: string }
    return { code: Number(code), substatus: Number(substatus ?? 0), message: message ?? '' }
  }
  return { code: 0, substatus: 0, message: '' }
}
