import { startNodeEdge } from '../node.ts'
import { describeNewItems } from './new-items.contract.ts'

describeNewItems(startNodeEdge)
