import { describeDecisions } from './decisions.contract.ts'
import { startWorkerdEdge } from './host/workerd.ts'

describeDecisions(startWorkerdEdge)
