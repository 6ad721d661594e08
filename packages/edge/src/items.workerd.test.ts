import { startWorkerdEdge } from './host/workerd.ts'
import { describeItems } from './items.contract.ts'

describeItems(startWorkerdEdge)
