import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CosmosLocalError } from '../errors.ts'

/** Listens on a port of one address, 0 for any; a taken one is an error of ours. */
export function listen(server: Server, port: number, host: string, what: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'EADDRINUSE' && cause.code !== 'EACCES') {
        reject(cause)
        return
      }
      reject(
        new CosmosLocalError(
          'COSMOS_PORT_TAKEN',
          `${what}: port ${port} of ${host} is taken; stop what listens there or choose another port (0 for any free one)`,
          { cause },
        ),
      )
    })
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port))
  })
}

/** Ends a server and every connection that it still has. */
export function shut(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
