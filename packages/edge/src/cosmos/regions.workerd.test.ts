import { startWorkerdEdge } from '../host/workerd.ts'
import { describeRegions } from './regions.contract.ts'

describeRegions(startWorkerdEdge)
