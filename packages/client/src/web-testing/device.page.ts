export { createClient } from '../client.ts'
export { onDevice } from '../on-device.ts'
