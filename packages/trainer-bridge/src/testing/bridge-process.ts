import { startBridge, type BridgeOptions } from '../start.ts'
import { randomTrainedModel } from './random-model.ts'

/** A bridge in a process of its own, so that it can be killed; options come as JSON in `BRIDGE_OPTIONS`. */
export type ProcessOptions = Omit<BridgeOptions, 'initial' | 'onStatus' | 'fetch' | 'now' | 'random'> & {
  readonly items: number
}

const { items, ...options } = JSON.parse(process.env['BRIDGE_OPTIONS'] ?? '') as ProcessOptions
const bridge = await startBridge({
  ...options,
  initial: () => Promise.resolve(randomTrainedModel(items)),
  onStatus: (status) => {
    if (status.type === 'stopped') process.exitCode = 1
  },
})
process.send?.('started')
process.once('SIGTERM', () => {
  void bridge.close().then(() => {
    process.disconnect?.()
    process.exit()
  })
})
