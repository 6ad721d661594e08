import { startCosmosLocal, type CosmosLocalOptions } from '../../src/index.ts'

/** A server in a process of its own, so that it can be killed: options as JSON in the first argument. */
const cosmos = await startCosmosLocal(JSON.parse(process.argv[2] ?? '{}') as CosmosLocalOptions)
process.send?.({ regions: cosmos.regions, adminEndpoint: cosmos.adminEndpoint, key: cosmos.key })
process.on('disconnect', () => process.exit(0))
