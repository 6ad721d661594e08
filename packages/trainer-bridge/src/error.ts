import { CodedError } from '@attune/core'
import { ChangeFeedError } from './change-feed/error.ts'

export type BridgeErrorCode =
  | 'CONFIG_INVALID' // environment or options that cannot be used; every problem is an issue
  | 'SIGNING_KEY_INVALID' // not an Ed25519 private JWK
  | 'ARTIFACT_FOLDER_MISSING' // nothing that looks like an artifact there
  | 'STATE_UNREADABLE' // snapshot or journal that this version cannot read
  | 'STATE_LOCKED' // another process uses the folder
  | 'FEED_CONFLICT' // a page that does not follow what was taken in of its range
  | 'FEED_CLOSED' // no pages are taken in at the moment
  | 'LEADER_UNKNOWN' // no instance leads at the moment, or it does not answer
  | 'LEADERSHIP_LOST' // another instance leads by now
  | 'CONTAINER_MISSING' // database or container of the events does not exist
  | 'PUSH_REFUSED' // an edge answered with a problem that trying again does not cure
  | 'PUSH_UNACKNOWLEDGED' // not every edge acknowledged in time
  | 'DOCTOR_FOUND' // a check of `attune doctor` failed
  | 'IMPORT_MALFORMED' // a click log that does not fit the mapping
  | 'IMPORT_STOPPED' // the signal fired
  | 'REPLAY_REFUSED' // an edge did not take what `attune replay` played
  | 'EPOCH_MISSING' // an epoch to go back to that is not kept
  | 'GATE_FAILED' // an epoch that is worse than the one serving; its report is in the message and beside it
  | 'GATE_MISSING' // an epoch that was never held against the one serving
  | 'GATE_DATA_SEEN' // visits to compare on that the new epoch was trained on
  | 'GATE_DATA_TOO_SMALL' // too few held-out visits to compare on
  | 'EDGE_UNREACHABLE' // no answer, or one that is not the protocol's

/** The bridge cannot go on with what it was asked. */
export class BridgeError extends CodedError<BridgeErrorCode> {
  override readonly name = 'BridgeError'
}

/** One sentence out of anything thrown, with the code where there is one; causes are followed. */
export function sentence(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const code = error instanceof CodedError || error instanceof ChangeFeedError ? `${error.code}: ` : ''
  const cause = error.cause instanceof Error ? ` (${sentence(error.cause)})` : ''
  return `${code}${error.message}${cause}`
}
