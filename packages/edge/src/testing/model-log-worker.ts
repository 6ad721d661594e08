// A Worker that is nothing but the Durable Object, for the contract of ModelStore.

export { ModelLog } from '../models/model-log.ts'

export default {
  fetch(): Response {
    return new Response('only a host for ModelLog')
  },
}
