import { join } from 'node:path'
import { startWorkerdEdge } from '@attune/edge/workerd'
import type { RunPart } from '../parts.ts'

const WATCH_MS = 500

export const run: RunPart = async ({ folder, ports, keys }, _tell, fail) => {
  const { x, kid } = keys.signing
  const edge = await startWorkerdEdge({
    port: ports.edge,
    persist: join(folder, 'edge'),
    cosmos: { endpoint: `http://127.0.0.1:${ports.cosmos}`, key: keys.cosmos },
    site: { id: 'tuppence', key: keys.site },
    pushKey: keys.push,
    adminKey: keys.admin,
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
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
