#!/usr/bin/env node
import { parseArgs } from 'node:util'
import { CosmosLocalError } from './errors.ts'
import { startCosmosLocal, type CosmosLocalOptions, type RegionOptions } from './start.ts'
import type { ConsistencyLevel } from './engine/account.ts'

const HELP = `cosmos-local: Azure Cosmos DB for NoSQL on one machine

  --port N            port of the write region (default 8081; 0: any free one)
  --admin-port N      port of the admin server and data explorer (default 8082)
  --tls-port N        TLS too, on this port (certificate: tls-cert.pem in the data folder)
  --throttle          answer 429 beyond the provisioned RU per second
  --folder PATH       where data is kept (default .cosmos-local)
  --memory            keep data in memory only
  --synchronous full  flush every write to the disk: survives the loss of power, not only kill -9
  --key BASE64        master key (default: the official emulator's)
  --region NAME       a region; repeat for more, the first takes the writes
  --consistency LEVEL Session (default), Eventual, ConsistentPrefix, BoundedStaleness or Strong
  --help
`

const LEVELS: readonly string[] = ['Strong', 'BoundedStaleness', 'Session', 'ConsistentPrefix', 'Eventual']

function optionsFrom(args: string[]): CosmosLocalOptions | undefined {
  const { values } = parseArgs({
    args,
    options: {
      port: { type: 'string' },
      'admin-port': { type: 'string' },
      'tls-port': { type: 'string' },
      throttle: { type: 'boolean' },
      folder: { type: 'string' },
      memory: { type: 'boolean' },
      synchronous: { type: 'string' },
      key: { type: 'string' },
      region: { type: 'string', multiple: true },
      consistency: { type: 'string' },
      help: { type: 'boolean' },
    },
  })
  if (values.help === true) return undefined
  const level = values.consistency
  if (level !== undefined && !LEVELS.includes(level)) {
    throw new CosmosLocalError(
      'COSMOS_OPTIONS_INVALID',
      `--consistency: expected one of ${LEVELS.join(', ')}, received ${level}`,
    )
  }
  return {
    ...(values.port === undefined ? {} : { port: portOf('--port', values.port) }),
    adminPort: portOf('--admin-port', values['admin-port'] ?? '8082'),
    ...(values['tls-port'] === undefined ? {} : { tlsPort: portOf('--tls-port', values['tls-port']) }),
    throttle: values.throttle === true,
    ...(values.memory === true ? {} : { folder: values.folder ?? '.cosmos-local' }),
    ...(values.synchronous === 'full' ? { synchronous: 'full' as const } : {}),
    ...(values.key === undefined ? {} : { key: values.key }),
    ...(values.region === undefined
      ? {}
      : { regions: values.region.map((name): RegionOptions => ({ name })) }),
    ...(level === undefined ? {} : { consistency: level as ConsistencyLevel }),
  }
}

function portOf(name: string, text: string): number {
  const port = Number(text)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new CosmosLocalError(
      'COSMOS_OPTIONS_INVALID',
      `${name}: expected a port from 0 to 65535, received ${text}`,
    )
  }
  return port
}

async function main(): Promise<void> {
  const options = optionsFrom(process.argv.slice(2))
  if (options === undefined) {
    process.stdout.write(HELP)
    return
  }
  const cosmos = await startCosmosLocal(options)
  for (const region of cosmos.regions) {
    process.stdout.write(
      `${region.name}: ${region.endpoint}${region.tlsEndpoint === undefined ? '' : ` ${region.tlsEndpoint}`}\n`,
    )
  }
  process.stdout.write(`data explorer: ${cosmos.adminEndpoint}\n`)
  process.stdout.write(`data: ${options.folder ?? 'memory'}\nready\n`)
  const stop = (): void => {
    void cosmos.close().then(() => process.exit(0))
  }
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
}

main().catch((error: unknown) => {
  const mistyped =
    error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')
  if (mistyped) {
    process.stderr.write(`${error.message}\n\n${HELP}`)
    process.exitCode = 2
    return
  }
  const known = error instanceof CosmosLocalError
  process.stderr.write(
    `${known ? `${error.code}: ${error.message}` : String(error instanceof Error ? error.stack : error)}\n`,
  )
  process.exitCode = 1
})
