import { startNodeEdge } from './node.ts'
import { describeSlots } from './slots.contract.ts'

describeSlots(startNodeEdge)
