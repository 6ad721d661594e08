import { join } from 'node:path'
import { DATABASE } from '@attune/core'
import { startCosmosLocal } from '@attune/cosmos-local'
import { provision } from '@attune/edge'
import type { RunPart } from '../parts.ts'

export const run: RunPart = async ({ folder, ports, keys }) => {
  const cosmos = await startCosmosLocal({
    port: ports.cosmos,
    adminPort: ports.explorer,
    folder: join(folder, 'cosmos'),
    key: keys.cosmos,
  })
  await provision(
    { endpoints: [cosmos.endpoint], key: cosmos.key, database: DATABASE },
    { fetch, now: Date.now },
  )
  return () => cosmos.close()
}
