/** Where a request stands in a trace that may span many services. */
export interface TraceContext {
  /** 16 bytes, lower-case hex, not all zero. */
  readonly traceId: string
  /** 8 bytes, lower-case hex, not all zero: the span of the caller. */
  readonly parentId: string
  readonly sampled: boolean
}

const VERSION_00 = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/
/** A later version may append fields; what version 00 says is read the same. */
const LATER = /^(?!00|ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/

/**
 * Reads a `traceparent` header; undefined for one that is not well-formed, which starts a trace of its own.
 *
 * @see https://www.w3.org/TR/trace-context/#traceparent-header
 */
export function parseTraceparent(header: string | undefined): TraceContext | undefined {
  const match = VERSION_00.exec(header ?? '') ?? LATER.exec(header ?? '')
  const [, traceId = '', parentId = '', flags = ''] = match ?? []
  if (match === null || /^0+$/.test(traceId) || /^0+$/.test(parentId)) return undefined
  return { traceId, parentId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

/** For requests this span makes itself. */
export function formatTraceparent(traceId: string, spanId: string, sampled: boolean): string {
  return `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`
}

/** Random bytes as lower-case hex, never all zero. */
export function randomHex(bytes: number): string {
  const values = crypto.getRandomValues(new Uint8Array(bytes))
  if (values.every((value) => value === 0)) values[0] = 1
  return Array.from(values, (value) => value.toString(16).padStart(2, '0')).join('')
}
