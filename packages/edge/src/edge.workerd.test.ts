import { describeEdge } from './edge.contract.ts'
import { startWorkerdEdge } from './host/workerd.ts'

describeEdge(startWorkerdEdge)
