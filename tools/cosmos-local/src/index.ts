export { CosmosLocalError, type CosmosLocalErrorCode } from './errors.ts'
export {
  EMULATOR_KEY,
  startCosmosLocal,
  type CosmosLocal,
  type CosmosLocalOptions,
  type RegionOptions,
} from './start.ts'
export type { ConsistencyLevel } from './engine/account.ts'
export type { EntraOptions, Grant } from './protocol/entra.ts'
export type { Lag } from './engine/replication.ts'
