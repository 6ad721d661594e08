import { startWorkerdEdge } from '../host/workerd.ts'
import { describeNewItems } from './new-items.contract.ts'

describeNewItems(startWorkerdEdge)
