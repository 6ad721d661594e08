import { startWorkerdEdge } from '../host/workerd.ts'
import { describeOwnGraphs } from './own-graphs.contract.ts'

describeOwnGraphs(startWorkerdEdge)
