import { startWorkerdEdge } from '../host/workerd.ts'
import { describeStudio } from './studio.contract.ts'

describeStudio(startWorkerdEdge, 'deployment')
