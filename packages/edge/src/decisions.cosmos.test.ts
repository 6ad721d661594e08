import { describeDecisions } from './decisions.contract.ts'
import { startNodeEdge } from './node.ts'

describeDecisions(startNodeEdge)
