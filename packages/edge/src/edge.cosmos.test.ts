import { describeEdge } from './edge.contract.ts'
import { startNodeEdge } from './node.ts'

describeEdge(startNodeEdge)
