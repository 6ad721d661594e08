import { describeLists } from './lists.contract.ts'
import { startNodeEdge } from './node.ts'

describeLists(startNodeEdge)
