import type { Server } from 'node:http'
import { startCosmosLocal } from '../../src/index.ts'

/** One of the two servers, in a process of its own: `ours FOLDER` or `theirs`. */
const [which, folder] = process.argv.slice(2)
process.on('disconnect', () => process.exit(0))
process.on('message', () => process.send?.({ cpu: process.cpuUsage() }))
if (which === 'ours' && folder !== undefined) {
  const cosmos = await startCosmosLocal({ port: 0, folder })
  process.send?.({ endpoint: cosmos.endpoint, key: cosmos.key })
} else {
  // No types come with it.
  const { default: server } = (await import('@vercel/cosmosdb-server')) as unknown as {
    default: { createHttpServer(): Server }
  }
  const theirs = server.createHttpServer()
  theirs.listen(0, '127.0.0.1', () => {
    const address = theirs.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    process.send?.({ endpoint: `http://127.0.0.1:${port}`, key: 'a2V5' })
  })
}
