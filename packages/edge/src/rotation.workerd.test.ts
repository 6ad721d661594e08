import { startWorkerdEdge } from './host/workerd.ts'
import { describeRotation } from './rotation.contract.ts'

describeRotation(startWorkerdEdge)
