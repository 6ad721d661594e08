import { createServer } from 'node:net'
import { StartError } from './options.ts'
import { portsFrom, type Ports } from './parts.ts'

const WANTED_BY: Readonly<Record<keyof Ports, string>> = {
  shop: 'the shop',
  edge: 'the edge',
  cosmos: 'the local Cosmos DB',
  explorer: 'the data explorer of the local Cosmos DB',
}
const SUGGESTED_STEP = 100

/**
 * The ports of a start, all of them free.
 *
 * @throws {StartError} `PORT_TAKEN`, naming each one, who wanted it and how to choose others
 */
export async function claimPorts(base: number): Promise<Ports> {
  const ports = portsFrom(base)
  const taken: string[] = []
  for (const name of Object.keys(WANTED_BY) as (keyof Ports)[]) {
    const problem = await tryPort(ports[name])
    if (problem !== undefined) taken.push(`port ${ports[name]} ${problem}; ${WANTED_BY[name]} needs it`)
  }
  if (taken.length === 0) return ports
  throw new StartError(
    'PORT_TAKEN',
    `${taken.join('\n')}\nEnd what uses ${taken.length === 1 ? 'it' : 'them'}, or choose others: npm start -- --port-base ${base + SUGGESTED_STEP} (or ATTUNE_PORT_BASE=${base + SUGGESTED_STEP})`,
  )
}

function tryPort(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', ({ code }: NodeJS.ErrnoException) => {
      resolve(code === 'EADDRINUSE' ? 'is taken' : `cannot be used (${code ?? 'unknown'})`)
    })
    server.listen(port, '127.0.0.1', () =>
      server.close(() => {
        resolve(undefined)
      }),
    )
  })
}
