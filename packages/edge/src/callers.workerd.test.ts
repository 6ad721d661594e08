import { describeCallers } from './callers.contract.ts'
import { startWorkerdEdge } from './host/workerd.ts'

describeCallers(startWorkerdEdge)
