import { join } from 'node:path'
import { startBridge } from '@attune/trainer-bridge'
import { trainFirstModel } from '../first-model.ts'
import type { RunPart } from '../parts.ts'

export const run: RunPart = async ({ folder, ports, keys, shoppers, iterations }, tell, fail) => {
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
}
