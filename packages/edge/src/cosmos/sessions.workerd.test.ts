import { startWorkerdEdge } from '../host/workerd.ts'
import { describeSessions } from './sessions.contract.ts'

describeSessions(startWorkerdEdge)
