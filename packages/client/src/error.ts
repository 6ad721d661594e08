import type { Issue } from '@attune/core'

export type ClientErrorCode =
  | 'STORAGE_UNAVAILABLE' // IndexedDB cannot be opened: events live only as long as the page
  | 'STORAGE_FAILED' // a write was refused, for instance for want of room
  | 'QUEUE_FULL' // the oldest unsent events were given up
  | 'EVENT_INVALID' // track() or an attribute said something the edge would refuse
  | 'EVENTS_REJECTED' // the edge refused events; see issues
  | 'KEY_REFUSED' // the site's key is wrong; events wait
  | 'VISITOR_REFUSED' // the edge no longer knows its own handle; a new one was asked for
  | 'DELIVERY_DELAYED' // network or edge is down; events wait and are sent later
  | 'RANK_FAILED' // no list; the page keeps its own content
  | 'RANK_TIMEOUT' // the list took too long; the page keeps its own content
  | 'DEVICE_FAILED' // ranking on the device is not possible; the edge goes on ranking
  | 'SLOT_FAILED' // a slot could not be filled: its lookup or render function failed
  | 'PAGE_CODE_FAILED' // a listener of the page threw

/** Something a site's developer should know. Told once per code and page; never thrown into the page. */
export class ClientError extends Error {
  override readonly name = 'ClientError'
  declare readonly code: ClientErrorCode
  declare readonly issues: readonly Issue[]

  constructor(code: ClientErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details)
    this.code = code
    this.issues = details.issues ?? []
  }
}

interface ErrorDetails {
  readonly cause?: unknown
  readonly issues?: readonly Issue[]
}

export type Report = (code: ClientErrorCode, message: string, more?: ErrorDetails) => void
