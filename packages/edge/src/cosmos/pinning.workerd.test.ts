import { startWorkerdEdge } from '../host/workerd.ts'
import { describePinning } from './pinning.contract.ts'

describePinning(startWorkerdEdge)
