import { startWorkerdEdge } from './host/workerd.ts'
import { describeSites } from './sites.contract.ts'

describeSites(startWorkerdEdge)
