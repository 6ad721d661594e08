import { startNodeEdge } from '../node.ts'
import { describeOwnGraphs } from './own-graphs.contract.ts'

describeOwnGraphs(startNodeEdge)
