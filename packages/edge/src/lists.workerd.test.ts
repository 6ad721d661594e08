import { describeLists } from './lists.contract.ts'
import { startWorkerdEdge } from './host/workerd.ts'

describeLists(startWorkerdEdge)
