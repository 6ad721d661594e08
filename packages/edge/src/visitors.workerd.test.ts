import { startWorkerdEdge } from './host/workerd.ts'
import { describeVisitors } from './visitors.contract.ts'

describeVisitors(startWorkerdEdge)
