import { startNodeEdge } from '../node.ts'
import { describePinning } from './pinning.contract.ts'

describePinning(startNodeEdge)
