import { randomUUID } from 'node:crypto'
import { ProtocolError } from '../errors.ts'
import { isObject, type JsonObject } from '../json.ts'
import type { Exchange } from '../protocol/exchange.ts'
import type { Operation } from '../protocol/route.ts'
import type { Fault } from '../protocol/server.ts'

/** What goes wrong, for which requests, how often. */
export interface FaultRule {
  readonly id: string
  /** Names of operations; absent: all about items. */
  readonly operations: readonly string[] | undefined
  /** `database/container`. */
  readonly container: string | undefined
  readonly region: string | undefined
  readonly probability: number
  /** Times left; undefined: until deleted. */
  left: number | undefined
  readonly fault: FaultSpec
}

export type FaultSpec =
  | {
      readonly kind: 'status'
      readonly status: number
      readonly substatus: number
      readonly retryAfterMs: number
    }
  | { readonly kind: 'delay'; readonly ms: number }
  | { readonly kind: 'drop'; readonly after: boolean }
  | { readonly kind: 'stall' }

const ABOUT_METADATA: readonly Operation[] = ['account', 'database', 'container', 'offer', 'ranges', 'plan']

const MESSAGES: Readonly<Record<number, string>> = {
  408: 'The operation did not complete within the allotted time.',
  410: 'The requested resource is no longer available at the server.',
  429: 'The request rate is too large. Please retry after sometime. Learn more: https://aka.ms/cosmosdb-error-429',
  449: 'Conflicting request to resource has been attempted. Retry to avoid conflicts.',
  503: 'The service is currently unavailable. Please retry.',
}

/** 429/3200, with the milliseconds after which to come back. */
export function throttled(retryAfterMs: number): ProtocolError {
  return new ProtocolError(429, MESSAGES[429] ?? '', {
    substatus: 3200,
    headers: {
      'x-ms-retry-after-ms': String(Math.max(1, Math.ceil(retryAfterMs))),
      'x-ms-request-charge': '0',
    },
  })
}

export class Faults {
  readonly rules: Map<string, FaultRule> = new Map<string, FaultRule>()
  readonly #random: () => number

  constructor(random: () => number) {
    this.#random = random
  }

  /** @throws {RangeError} when the rule makes no sense */
  add(given: JsonObject): FaultRule {
    const fault = specOf(given['fault'] ?? null)
    const operations = given['operations']
    const rule: FaultRule = {
      id: randomUUID(),
      operations: Array.isArray(operations) ? operations.map(String) : undefined,
      container: typeof given['container'] === 'string' ? given['container'] : undefined,
      region: typeof given['region'] === 'string' ? given['region'] : undefined,
      probability: typeof given['probability'] === 'number' ? given['probability'] : 1,
      left: typeof given['count'] === 'number' ? given['count'] : undefined,
      fault,
    }
    this.rules.set(rule.id, rule)
    return rule
  }

  /** The fault that a request meets, if any. */
  next(exchange: Exchange, operation: Operation): Fault | undefined {
    if (this.rules.size === 0) return undefined
    for (const rule of this.rules.values()) {
      if (!this.#meets(rule, exchange, operation)) continue
      if (rule.left !== undefined && --rule.left <= 0) this.rules.delete(rule.id)
      return faultOf(rule.fault)
    }
    return undefined
  }

  #meets(rule: FaultRule, exchange: Exchange, operation: Operation): boolean {
    if (
      rule.operations === undefined
        ? ABOUT_METADATA.includes(operation)
        : !rule.operations.includes(operation)
    ) {
      return false
    }
    const [, database, , container] = exchange.segments
    if (rule.container !== undefined && rule.container !== `${database ?? ''}/${container ?? ''}`)
      return false
    if (rule.region !== undefined && rule.region !== exchange.region.name) return false
    return rule.probability >= 1 || this.#random() < rule.probability
  }
}

function specOf(given: unknown): FaultSpec {
  const spec = isObject(given) ? given : {}
  const number = (name: string, otherwise: number): number => {
    const value = spec[name]
    return typeof value === 'number' ? value : otherwise
  }
  switch (spec['kind']) {
    case 'status':
      return {
        kind: 'status',
        status: number('status', 503),
        substatus: number('substatus', 0),
        retryAfterMs: number('retryAfterMs', 0),
      }
    case 'delay':
      return { kind: 'delay', ms: number('ms', 100) }
    case 'drop':
      return { kind: 'drop', after: spec['after'] === true }
    case 'stall':
      return { kind: 'stall' }
    default:
      throw new RangeError('fault.kind: expected status, delay, drop or stall')
  }
}

function faultOf(spec: FaultSpec): Fault {
  if (spec.kind !== 'status') return spec
  if (spec.status === 429) return { kind: 'answer', error: throttled(spec.retryAfterMs) }
  const headers = spec.retryAfterMs > 0 ? { 'x-ms-retry-after-ms': String(spec.retryAfterMs) } : {}
  const message = MESSAGES[spec.status] ?? 'A fault that was asked for.'
  return {
    kind: 'answer',
    error: new ProtocolError(spec.status, message, { substatus: spec.substatus, headers }),
  }
}
