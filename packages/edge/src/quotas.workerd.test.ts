import { startWorkerdEdge } from './host/workerd.ts'
import { describeQuotas } from './quotas.contract.ts'

describeQuotas(startWorkerdEdge)
