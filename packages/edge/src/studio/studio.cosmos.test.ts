import { startNodeEdge } from '../node.ts'
import { describeStudio } from './studio.contract.ts'

describeStudio(startNodeEdge, 'process')
