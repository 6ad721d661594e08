import { describeDevice } from './device.contract.ts'
import { startNodeEdge } from './node.ts'

describeDevice(startNodeEdge)
