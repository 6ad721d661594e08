import { startNodeEdge } from '../node.ts'
import { describeModels } from './models.contract.ts'

describeModels(startNodeEdge)
