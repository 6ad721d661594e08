import { CONTAINERS } from '@attune/core'
import type { CosmosConfig } from '../config.ts'
import { CosmosError } from './errors.ts'
import { createCosmosFetch } from './request.ts'

const TIMEOUT_MS = 10_000

/**
 * Makes the database and containers that are missing; those that exist stay as they are. For development and tests: in
 * production deployment makes them, and the edge's key need not be allowed to.
 *
 * @throws {CosmosError}
 */
export async function provision(
  config: CosmosConfig,
  host: { fetch: typeof fetch; now: () => number },
): Promise<void> {
  const send = createCosmosFetch({ credential: { key: config.key ?? '' }, ...host })
  const create = async (type: 'dbs' | 'colls', link: string, path: string, body: object): Promise<void> => {
    try {
      await send({
        endpoint: config.endpoints[0] ?? '',
        verb: 'POST',
        type,
        link,
        path,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        timeoutMs: TIMEOUT_MS,
      })
    } catch (error) {
      if (!(error instanceof CosmosError && error.code === 'COSMOS_CONFLICT')) throw error
    }
  }
  const database = `dbs/${config.database}`
  await create('dbs', '', 'dbs', { id: config.database })
  for (const container of CONTAINERS) await create('colls', database, `${database}/colls`, container)
}
