import { startNodeEdge } from './node.ts'
import { describeVisitors } from './visitors.contract.ts'

describeVisitors(startNodeEdge)
