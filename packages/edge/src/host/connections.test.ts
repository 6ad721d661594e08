import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { limitConnections } from './connections.ts'

test('of three connections from one address where two are allowed the third ends, and may come again when one has gone', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', () => socket.write('hello'))
  })
  limitConnections(server, 2)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const open: Socket[] = []
  const dial = async (): Promise<'open' | 'ended'> => {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write('who is there?')
    const what = await Promise.race([
      once(socket, 'data').then(() => 'open' as const),
      once(socket, 'close').then(() => 'ended' as const),
    ]).catch(() => 'ended' as const)
    if (what === 'open') open.push(socket)
    return what
  }
  expect([await dial(), await dial(), await dial()]).toEqual(['open', 'open', 'ended'])
  open.pop()?.destroy()
  await expect.poll(dial, { timeout: 10_000 }).toBe('open')
  expect(await dial()).toBe('ended')
  for (const socket of open) socket.destroy()
  server.close()
})
