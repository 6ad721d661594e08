import { workerHandler, type WorkerHandler } from './host/worker.ts'
import { loadOrt } from './serve/ort-workerd.ts'

// Cloudflare Workers' entry, with ONNX Runtime. Bindings: wrangler.jsonc.

export { LimitCounter } from './middleware/shared-limits.ts'
export { ModelLog } from './models/model-log.ts'
export { ActivityLog } from './studio/activity-log.ts'
export type { WorkerEnv, WorkerHandler } from './host/worker.ts'

const handler: WorkerHandler = workerHandler(loadOrt)

export default handler
