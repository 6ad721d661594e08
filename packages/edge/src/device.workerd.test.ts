import { describeDevice } from './device.contract.ts'
import { startWorkerdEdge } from './host/workerd.ts'

describeDevice(startWorkerdEdge)
