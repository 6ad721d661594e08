import { startWorkerdEdge } from '../host/workerd.ts'
import { describeConfiguredSlots } from './configured.contract.ts'

describeConfiguredSlots(startWorkerdEdge)
