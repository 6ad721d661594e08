import { startNodeEdge } from '../node.ts'
import { describeRegions } from './regions.contract.ts'

describeRegions(startNodeEdge)
