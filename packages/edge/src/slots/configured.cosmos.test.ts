import { startNodeEdge } from '../node.ts'
import { describeConfiguredSlots } from './configured.contract.ts'

describeConfiguredSlots(startNodeEdge)
