import { describeCallers } from './callers.contract.ts'
import { startNodeEdge } from './node.ts'

describeCallers(startNodeEdge)
