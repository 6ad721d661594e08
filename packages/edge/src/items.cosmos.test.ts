import { describeItems } from './items.contract.ts'
import { startNodeEdge } from './node.ts'

describeItems(startNodeEdge)
