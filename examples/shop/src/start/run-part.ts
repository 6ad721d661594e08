import { join } from 'node:path'
import { serve, type ServerType } from '@hono/node-server'
import { DATABASE } from '@attune/core'
import { startCosmosLocal } from '@attune/cosmos-local'
import { provision } from '@attune/edge'
import { startWorkerdEdge } from '@attune/edge/workerd'
import { publicJwk, startBridge } from '@attune/trainer-bridge'
import { createShop } from '../server/app.ts'
import { buildAssets } from '../server/assets.ts'
import { trainFirstModel, trainingFacts } from './first-model.ts'
import type { FromPart, PartConfig, PartName } from './parts.ts'

/** How a part ends: everything it started, in order. */
export type ClosePart = () => Promise<void>
type Tell = (message: FromPart) => void

const WATCH_MS = 500

/**
 * Starts one part in this process.
 *
 * @param fail - the part can no longer do its work; the process should end
 */
export const RUN_PART: Readonly<
  Record<PartName, (config: PartConfig, tell: Tell, fail: (message: string) => void) => Promise<ClosePart>>
> = {
  async cosmos({ folder, ports, keys }) {
    const cosmos = await startCosmosLocal({
      port: ports.cosmos,
      adminPort: ports.explorer,
      folder: join(folder, 'cosmos'),
      key: keys.cosmos,
    })
    await provision(
      { endpoints: [cosmos.endpoint], key: cosmos.key, database: DATABASE },
      { fetch, now: Date.now },
    )
    return () => cosmos.close()
  },

  async edge({ folder, ports, keys }, _tell, fail) {
    const { x, kid } = publicJwk(keys.signing)
    const edge = await startWorkerdEdge({
      port: ports.edge,
      persist: join(folder, 'edge'),
      cosmos: { endpoint: `http://127.0.0.1:${ports.cosmos}`, key: keys.cosmos },
      site: { id: 'tuppence', key: keys.site },
      pushKey: keys.push,
      visitorSecret: keys.visitorSecret,
      verifyKeys: [{ kty: 'OKP', crv: 'Ed25519', x: x ?? '', ...(kid !== undefined && { kid }) }],
      origins: [`http://localhost:${ports.shop}`, `http://127.0.0.1:${ports.shop}`],
      diagnostics: true,
    })
    // workerd is a process of its own: this one would not notice its end.
    const watch = setInterval(() => {
      if (edge.pid > 0 && !isAlive(edge.pid)) fail('workerd ended')
    }, WATCH_MS)
    return async () => {
      clearInterval(watch)
      await edge.close()
    }
  },

  async bridge({ folder, ports, keys, shoppers, iterations }, tell, fail) {
    let served: () => void = () => undefined
    const serving = new Promise<void>((resolve) => (served = resolve))
    const bridge = await startBridge({
      cosmos: { endpoint: `http://127.0.0.1:${ports.cosmos}`, key: keys.cosmos },
      edges: [{ url: `http://127.0.0.1:${ports.edge}`, pushKey: keys.push }],
      signingKey: keys.signing,
      folder: join(folder, 'bridge'),
      initial: () => trainFirstModel(folder, { shoppers, iterations }, tell),
      onStatus: (status) => {
        if (status.type === 'edge' && status.state === 'current') served()
        if (status.type === 'edge' && status.error !== undefined) tell({ type: 'note', text: status.error })
        if (status.type === 'feed') tell({ type: 'note', text: `change feed: ${status.error}` })
        if (status.type === 'stopped') fail(status.error)
      },
    })
    tell({ type: 'progress', text: 'giving the edge its model', share: null, secondsLeft: null })
    await serving
    return () => bridge.close()
  },

  async shop({ folder, ports, keys, clientFile }) {
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
  },
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
