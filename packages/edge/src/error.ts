import { CodedError } from '@attune/core'

export type EdgeErrorCode =
  | 'KEY_MISSING' // no key in query or header
  | 'KEY_UNKNOWN' // not a key of this edge
  | 'KEY_FORBIDDEN' // a key, but not for this route
  | 'ORIGIN_FORBIDDEN' // the page's origin is not one of the site's
  | 'BODY_TOO_LARGE' // more bytes than the route takes
  | 'BODY_TIMEOUT' // the body did not arrive in time
  | 'BATCH_TOO_LARGE' // more events than a batch may hold
  | 'EVENTS_MALFORMED' // the body is not an events request
  | 'EVENTS_REJECTED' // no event of the batch is good
  | 'RANK_MALFORMED' // the body is not a rank request
  | 'ITEMS_MALFORMED' // the body is not an items request
  | 'ITEMS_REJECTED' // no item of the request is good
  | 'ITEM_UNKNOWN' // not in the catalogue
  | 'RULES_MALFORMED' // the body is not an object of rules
  | 'RULES_INVALID' // rules that cannot be used, each named with its path
  | 'SLOT_UNKNOWN' // a slot without rules
  | 'SITE_UNKNOWN' // not a site of this edge, or none named where there are several
  | 'VISITORS_MALFORMED' // the body is not a visitors request
  | 'VISITOR_FORGED' // not a handle this edge gave out for this site
  | 'IDENTITY_DISABLED' // the site has no secret to prove its users with
  | 'IDENTITY_UNPROVEN' // not proven by the site's server, or no longer
  | 'CONSENT_DENIED' // the visitor does not want to be remembered
  | 'QUOTA_EXCEEDED' // the site has asked as much as it may in a day or month
  | 'RATE_LIMITED' // too many requests of this key, visitor or address
  | 'WEIGHTS_UNKNOWN' // not those of the epoch being served
  | 'EPOCH_UNKNOWN' // never taken in by this edge, or none to go back to
  | 'MODEL_MISSING' // no epoch to rank with
  | 'STORE_UNAVAILABLE' // Cosmos throttles, is down or too slow
  | 'PATH_MALFORMED' // a path parameter is not what it should be
  | 'ROUTE_UNKNOWN' // no such path
  | 'INTERNAL' // a defect; the log has more

/** The request cannot be answered as asked. */
export class EdgeError extends CodedError<EdgeErrorCode> {
  override readonly name = 'EdgeError'
}
