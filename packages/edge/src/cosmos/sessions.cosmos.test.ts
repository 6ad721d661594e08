import { startNodeEdge } from '../node.ts'
import { describeSessions } from './sessions.contract.ts'

describeSessions(startNodeEdge)
