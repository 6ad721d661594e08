import { serve, type ServerType } from '@hono/node-server'
import { createShop } from '../../server/app.ts'
import { buildAssets } from '../../server/assets.ts'
import { trainingFacts } from '../training-facts.ts'
import type { RunPart } from '../parts.ts'

export const run: RunPart = async ({ folder, ports, keys, clientFile }) => {
  const [assets, training] = await Promise.all([buildAssets(clientFile), trainingFacts(folder)])
  const app = createShop(
    { assets, endpoint: `http://127.0.0.1:${ports.edge}`, siteKey: keys.site, training },
    assets,
  )
  const server = await new Promise<ServerType>((resolve, reject) => {
    const started = serve({ fetch: app.fetch, port: ports.shop, hostname: '127.0.0.1' }, () => {
      resolve(started)
    })
    started.once('error', reject)
  })
  return () =>
    new Promise((resolve) => {
      server.close(() => {
        resolve()
      })
      if ('closeAllConnections' in server) server.closeAllConnections()
    })
}
