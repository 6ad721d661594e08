#!/usr/bin/env node
import { ConfigError } from './config.ts'
import { consoleLog } from './log.ts'
import { serveNode } from './node.ts'

// The container's entry: settings from the environment, models in ATTUNE_MODELS, graceful end on SIGTERM.

const DEFAULT_PORT = 8787
const metricsPort = process.env['ATTUNE_METRICS_PORT']

try {
  const edge = await serveNode(process.env, {
    port: Number(process.env['PORT'] ?? DEFAULT_PORT),
    hostname: process.env['HOST'] ?? '0.0.0.0',
    models: process.env['ATTUNE_MODELS'] ?? './models',
    ...(metricsPort !== undefined && { metricsPort: Number(metricsPort) }),
  })
  consoleLog('info', 'edge listens', { url: edge.url, pid: edge.pid })
  let ending = false
  const end = (): void => {
    if (ending) return
    ending = true
    consoleLog('info', 'edge ends: requests under way finish')
    void edge.close().then(() => process.exit(0))
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
} catch (error) {
  console.error(error instanceof ConfigError ? error.message : error)
  process.exitCode = 1
}
