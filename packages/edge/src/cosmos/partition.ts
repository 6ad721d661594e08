import { CosmosError } from './errors.ts'
import type { CosmosFetch, CosmosResponse } from './request.ts'

/** One logical partition of a container. */
export interface Partition {
  readonly fetch: CosmosFetch
  readonly endpoint: string
  /** `dbs/…/colls/…` */
  readonly link: string
  readonly key: string
}

const TIMEOUT_MS = 5_000
const PAGE = 100

/** Everything a query finds in a partition, page by page. @throws {CosmosError} */
export async function queryAll(
  { fetch, endpoint, link, key }: Partition,
  query: string,
): Promise<{ documents: Record<string, unknown>[]; session: string | undefined }> {
  const documents: Record<string, unknown>[] = []
  let page: CosmosResponse | undefined
  do {
    page = await fetch({
      endpoint,
      verb: 'POST',
      type: 'docs',
      link,
      path: `${link}/docs`,
      partitionKey: key,
      headers: {
        'content-type': 'application/query+json',
        'x-ms-documentdb-isquery': 'True',
        'x-ms-max-item-count': String(PAGE),
        ...(page?.continuation !== undefined && { 'x-ms-continuation': page.continuation }),
      },
      body: JSON.stringify({ query, parameters: [] }),
      timeoutMs: TIMEOUT_MS,
    })
    const found = (page.body as { Documents?: unknown } | undefined)?.Documents
    if (Array.isArray(found)) documents.push(...(found as Record<string, unknown>[]))
  } while (page.continuation !== undefined)
  return { documents, session: page.session }
}

/** A document; undefined when there is none. @throws {CosmosError} */
export async function readDocument<T>(
  { fetch, endpoint, link: container, key }: Partition,
  id: string,
): Promise<T | undefined> {
  const link = `${container}/docs/${id}`
  return absentAs(undefined, async () => {
    const answer = await fetch({
      endpoint,
      verb: 'GET',
      type: 'docs',
      link,
      path: link,
      partitionKey: key,
      timeoutMs: TIMEOUT_MS,
    })
    return answer.body as T
  })
}

/** @returns false when it was there already, as it stays. @throws {CosmosError} */
export async function createDocument(
  { fetch, endpoint, link, key }: Partition,
  document: object,
): Promise<boolean> {
  try {
    await fetch({
      endpoint,
      verb: 'POST',
      type: 'docs',
      link,
      path: `${link}/docs`,
      partitionKey: key,
      headers: { 'content-type': 'application/json', prefer: 'return=minimal' },
      body: JSON.stringify(document),
      timeoutMs: TIMEOUT_MS,
    })
    return true
  } catch (error) {
    if (error instanceof CosmosError && error.code === 'COSMOS_CONFLICT') return false
    throw error
  }
}

/** Sets properties. @returns false when there is no such document. @throws {CosmosError} */
export async function patchDocument(
  { fetch, endpoint, link: container, key }: Partition,
  id: string,
  values: Readonly<Record<string, number>>,
): Promise<boolean> {
  const link = `${container}/docs/${id}`
  return absentAs(false, async () => {
    await fetch({
      endpoint,
      verb: 'PATCH',
      type: 'docs',
      link,
      path: link,
      partitionKey: key,
      headers: { 'content-type': 'application/json_patch+json', prefer: 'return=minimal' },
      body: JSON.stringify({
        operations: Object.entries(values).map(([name, value]) => ({ op: 'set', path: `/${name}`, value })),
      }),
      timeoutMs: TIMEOUT_MS,
    })
    return true
  })
}

/** @returns false when it was gone already. @throws {CosmosError} */
export async function deleteDocument(
  { fetch, endpoint, link: container, key }: Partition,
  id: string,
): Promise<boolean> {
  const link = `${container}/docs/${id}`
  return absentAs(false, async () => {
    await fetch({
      endpoint,
      verb: 'DELETE',
      type: 'docs',
      link,
      path: link,
      partitionKey: key,
      timeoutMs: TIMEOUT_MS,
    })
    return true
  })
}

async function absentAs<T>(absent: T, action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (error) {
    if (error instanceof CosmosError && error.code === 'COSMOS_NOT_FOUND') return absent
    throw error
  }
}
