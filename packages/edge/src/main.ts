#!/usr/bin/env node
import { ConfigError } from './config.ts'
import { readNodeSettings } from './host/settings.ts'
import { watchEnvironment } from './host/unread.ts'
import { consoleLog } from './log.ts'
import { serveConfig } from './node.ts'

// The container's entry: settings from the environment, models in ATTUNE_MODELS, graceful end on SIGTERM.

try {
  const { env, unread } = watchEnvironment(process.env)
  const { config, options } = await readNodeSettings(env)
  const settings = unread()
  if (settings.length > 0) consoleLog('warn', 'settings that nobody reads', { settings })
  const edge = await serveConfig(config, options)
  let ending = false
  const end = (): void => {
    if (ending) return
    ending = true
    consoleLog('info', 'edge ends: requests under way finish')
    void edge.close().then(() => process.exit(0))
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
  consoleLog('info', 'edge listens', { url: edge.url, pid: edge.pid })
} catch (error) {
  console.error(error instanceof ConfigError ? error.message : error)
  process.exitCode = 1
}
