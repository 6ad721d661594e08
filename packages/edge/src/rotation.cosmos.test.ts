import { startNodeEdge } from './node.ts'
import { describeRotation } from './rotation.contract.ts'

describeRotation(startNodeEdge)
