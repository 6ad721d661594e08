import { keyOfHeader } from '../partition/key.ts'
import { PARTITION_KEY, RANGE_ID, type Exchange } from '../protocol/exchange.ts'
import { containerNamed } from '../protocol/route.ts'
import type { Hooks } from '../protocol/server.ts'
import type { Container } from '../store/catalog.ts'
import type { Admin } from './api.ts'
import { throttled } from './faults.ts'

/** Meters every request about a container, and puts faults and budgets in its way. */
export function adminHooks(admin: Admin, throttle: boolean): Hooks {
  return {
    before: (exchange, operation) => {
      const fault = admin.faults.next(exchange, operation)
      if (fault !== undefined || !throttle || exchange.segments.length < 5) return fault
      const container = containerNamed(exchange)
      if (container === undefined) return undefined
      const wait = admin.meter.waitFor(admin.account, container, rangeAsked(exchange, container))
      return wait > 0 ? { kind: 'answer', error: throttled(wait) } : undefined
    },
    after: (exchange, operation, status, charge, range) => {
      const container = containerNamed(exchange)
      if (container !== undefined) admin.meter.record(container, operation, status, charge, range)
    },
  }
}

function rangeAsked(exchange: Exchange, container: Container): string | undefined {
  const named = exchange.header(RANGE_ID)?.split(',').at(-1)
  if (named !== undefined) return named
  const key = keyOfHeader(exchange.header(PARTITION_KEY))
  if (key === undefined || key.length === 0) return undefined
  return exchange.account.rangeOf(container, exchange.account.epkOf(container, key)).id
}
