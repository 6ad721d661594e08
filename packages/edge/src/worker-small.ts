import { workerHandler, type WorkerHandler } from './host/worker.ts'

// Cloudflare Workers' entry without ONNX Runtime, for plans whose size limit it does not fit: core's TypeScript ranks,
// which gives the same lists (golden vectors hold it to that), and models of one's own are refused.

export { LimitCounter } from './middleware/shared-limits.ts'
export { ModelLog } from './models/model-log.ts'
export { ActivityLog } from './studio/activity-log.ts'
export type { WorkerEnv, WorkerHandler } from './host/worker.ts'

const handler: WorkerHandler = workerHandler(undefined)

export default handler
