/** Why a local Cosmos could not start or could not go on. */
export type CosmosLocalErrorCode =
  | 'COSMOS_PORT_TAKEN' // something else listens on the port asked for
  | 'COSMOS_FOLDER_IN_USE' // another process has the data folder open
  | 'COSMOS_FOLDER_VERSION' // the data folder was written by a newer version
  | 'COSMOS_OPTIONS_INVALID'

/** The local Cosmos cannot start; the message says what to change. */
export class CosmosLocalError extends Error {
  override readonly name = 'CosmosLocalError'
  readonly code: CosmosLocalErrorCode
  constructor(code: CosmosLocalErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

const CODES: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  408: 'RequestTimeout',
  409: 'Conflict',
  410: 'Gone',
  412: 'PreconditionFailed',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  429: '429',
  449: 'RetryWith',
  500: 'InternalServerError',
  503: 'ServiceUnavailable',
}

/** An answer of the protocol that is not a success: status, substatus and Cosmos's own code and message. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
  readonly status: number
  readonly substatus: number
  readonly headers: Readonly<Record<string, string>>
  /** Set when the message goes out as it is rather than wrapped as `{"Errors":[…]}`. */
  readonly plain: boolean
  /** More properties of the body, beside code and message. */
  readonly extra: Readonly<Record<string, string>>
  constructor(
    status: number,
    message: string,
    options: {
      substatus?: number
      headers?: Record<string, string>
      plain?: boolean
      extra?: Record<string, string>
    } = {},
  ) {
    super(message)
    this.status = status
    this.substatus = options.substatus ?? 0
    this.headers = options.headers ?? {}
    this.plain = options.plain ?? false
    this.extra = options.extra ?? {}
  }
}

export function codeOf(status: number): string {
  return CODES[status] ?? String(status)
}

export const notFound = (): ProtocolError =>
  new ProtocolError(404, 'Resource Not Found. Learn more: https://aka.ms/cosmosdb-tsg-not-found')

export const badRequest = (message: string, substatus = 0): ProtocolError =>
  new ProtocolError(400, message, { substatus })

export const conflict = (): ProtocolError =>
  new ProtocolError(409, 'Resource with specified id or name already exists.')

export const preconditionFailed = (): ProtocolError =>
  new ProtocolError(412, 'One of the specified pre-condition is not met')

/** The replica is behind the session token that came with the read. */
export const readSessionNotAvailable = (): ProtocolError =>
  new ProtocolError(
    404,
    'The read session is not available for the input session token. Learn more: https://aka.ms/cosmosdb-tsg-session-not-available',
    { substatus: 1002 },
  )

/** The partition key range was split or merged away. */
export const rangeGone = (): ProtocolError =>
  new ProtocolError(410, 'The requested resource is no longer available at the server.', { substatus: 1002 })
