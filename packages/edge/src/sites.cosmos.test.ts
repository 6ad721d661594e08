import { startNodeEdge } from './node.ts'
import { describeSites } from './sites.contract.ts'

describeSites(startNodeEdge)
