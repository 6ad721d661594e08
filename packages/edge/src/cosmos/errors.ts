import { CodedError } from '@attune/core'

export type CosmosErrorCode =
  | 'COSMOS_CONFLICT' // 409: a document of this id exists
  | 'COSMOS_NOT_FOUND' // 404 without a session substatus
  | 'COSMOS_BEHIND' // 404/1002: this replica has not caught up with the session token
  | 'COSMOS_THROTTLED' // 429
  | 'COSMOS_RETRY' // 449, 410, 408: a transient state of a partition
  | 'COSMOS_WRITE_FORBIDDEN' // 403/3: this region no longer takes writes
  | 'COSMOS_UNAVAILABLE' // 5xx, connection refused or no answer in time
  | 'COSMOS_REFUSED' // 400, 401, 403, 413: ours to fix

/** Cosmos did not do what was asked. */
export class CosmosError extends CodedError<CosmosErrorCode> {
  override readonly name = 'CosmosError'
  readonly status: number
  readonly substatus: number
  readonly retryAfterMs: number | undefined
  /** RU charged in spite of the error. */
  readonly ru: number
  /** Session token of the error's response. */
  readonly session: string | undefined

  constructor(
    code: CosmosErrorCode,
    message: string,
    details: {
      status?: number
      substatus?: number
      retryAfterMs?: number | undefined
      ru?: number
      session?: string | undefined
      cause?: unknown
    } = {},
  ) {
    super(code, message, 'cause' in details ? { cause: details.cause } : {})
    this.status = details.status ?? 0
    this.substatus = details.substatus ?? 0
    this.retryAfterMs = details.retryAfterMs
    this.ru = details.ru ?? 0
    this.session = details.session
  }
}

const BEHIND = 1002
const WRITE_FORBIDDEN = 3
const DATABASE_ACCOUNT_NOT_FOUND = 1008

/** @see https://learn.microsoft.com/rest/api/cosmos-db/http-status-codes-for-cosmosdb */
export function codeOf(status: number, substatus: number): CosmosErrorCode {
  if (status === 409) return 'COSMOS_CONFLICT'
  if (status === 404) return substatus === BEHIND ? 'COSMOS_BEHIND' : 'COSMOS_NOT_FOUND'
  if (status === 429) return 'COSMOS_THROTTLED'
  if (status === 449 || status === 410 || status === 408) return 'COSMOS_RETRY'
  if (status === 403 && (substatus === WRITE_FORBIDDEN || substatus === DATABASE_ACCOUNT_NOT_FOUND))
    return 'COSMOS_WRITE_FORBIDDEN'
  return status >= 500 ? 'COSMOS_UNAVAILABLE' : 'COSMOS_REFUSED'
}

/** Whether the same request may succeed later. The one place that decides it. */
export function isTransient(error: unknown): error is CosmosError {
  return (
    error instanceof CosmosError &&
    [
      'COSMOS_THROTTLED',
      'COSMOS_RETRY',
      'COSMOS_UNAVAILABLE',
      'COSMOS_WRITE_FORBIDDEN',
      'COSMOS_BEHIND',
    ].includes(error.code)
  )
}
