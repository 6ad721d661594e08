export type ChangeFeedErrorCode =
  | 'FEED_TIMEOUT' // Cosmos did not answer in time
  | 'CONTINUATION_MALFORMED' // not a continuation of this SDK's pull model
  | 'LEASES_MISSING' // there is no lease container
  | 'BATCH_POISONED' // a batch failed as often as it may, and nobody takes it aside

/** The change feed cannot be followed as asked. */
export class ChangeFeedError extends Error {
  override readonly name = 'ChangeFeedError'
  readonly code: ChangeFeedErrorCode

  constructor(code: ChangeFeedErrorCode, message: string, options: { cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = code
  }
}
