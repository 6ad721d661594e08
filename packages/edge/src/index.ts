export { createApp, type AppDeps, type AppEnv } from './app.ts'
export type { Log, LogLevel } from './log.ts'
export {
  ConfigError,
  readConfig,
  type Config,
  type CosmosConfig,
  type Site,
  type VerifyKey,
} from './config.ts'
export { provision } from './cosmos/provision.ts'
export { EdgeError, type EdgeErrorCode } from './error.ts'
export type { ModelStore } from './models/store.ts'
