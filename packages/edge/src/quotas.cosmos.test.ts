import { startNodeEdge } from './node.ts'
import { describeQuotas } from './quotas.contract.ts'

describeQuotas(startNodeEdge)
