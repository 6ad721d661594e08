import { startWorkerdEdge } from './host/workerd.ts'
import { describeSlots } from './slots.contract.ts'

describeSlots(startWorkerdEdge)
