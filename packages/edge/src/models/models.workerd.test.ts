import { startWorkerdEdge } from '../host/workerd.ts'
import { describeModels } from './models.contract.ts'

describeModels(startWorkerdEdge)
