import type { Server } from 'node:net'

/**
 * Ends every connection of an address beyond so many open ones, unheard: each could hold back a request for as long as a
 * request may take.
 */
export function limitConnections(server: Pick<Server, 'on'>, most: number): void {
  const open = new Map<string, number>()
  server.on('connection', (socket) => {
    const address = socket.remoteAddress
    if (address === undefined) return
    const others = open.get(address) ?? 0
    if (others >= most) {
      socket.destroy()
      return
    }
    open.set(address, others + 1)
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1
      if (left === 0) open.delete(address)
      else open.set(address, left)
    })
  })
}
