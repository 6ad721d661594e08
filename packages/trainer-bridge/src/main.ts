import { readConfig } from './config.ts'
import { sentence } from './error.ts'
import { startService, type Log } from './service.ts'

// The service: settings from the environment, SIGTERM ends it in order. State is saved before the process goes; a second
// signal, or an orchestrator that loses patience, costs nothing but the replay of the journal.

/** An orchestrator waits 20 seconds or more. */
const LAST_MS = 18_000

const log: Log = (level, message, fields) => {
  process.stdout.write(`${JSON.stringify({ at: new Date().toISOString(), level, message, ...fields })}\n`)
}

try {
  const config = readConfig(process.env)
  const service = await startService(config, log)
  log('info', 'the bridge runs', { health: `${service.url}/healthz`, edges: config.edges.length })
  const signal = await Promise.race([
    ...(['SIGTERM', 'SIGINT'] as const).map(
      (name) => new Promise<string>((resolve) => process.once(name, () => resolve(name))),
    ),
    service.stopped.then(() => undefined),
  ])
  if (signal === undefined) process.exitCode = 1
  else log('info', 'the bridge ends', { signal })
  // Whatever does not answer any more: the state is written down, and leases expire.
  setTimeout(() => process.exit(), LAST_MS).unref()
  await service.close()
  // The Cosmos SDK may still be trying a connection again, which would keep the process for minutes.
  process.exit()
} catch (error) {
  process.stderr.write(`${sentence(error)}\n`)
  process.exitCode = 1
}
