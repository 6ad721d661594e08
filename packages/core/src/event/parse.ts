import { describe, type Issue } from '../error.ts'
import { isUuid } from '../uuid.ts'
import {
  EVENT_KINDS,
  isEventKind,
  MAX_CLOCK_AHEAD_MS,
  MAX_EVENT_AGE_MS,
  MAX_ITEM_ID_LENGTH,
  MAX_NAME_LENGTH,
  MAX_QUERY_LENGTH,
  needsItem,
  type EventKind,
  type TrackedEvent,
} from './event.ts'
import { MAX_SEQ } from './missing.ts'

export interface ParsedEvents {
  /** The good ones, in the order given. */
  readonly events: TrackedEvent[]
  /** Every problem of the others, with its path. */
  readonly issues: Issue[]
}

/**
 * Unknown input → events. Never throws: an event with a problem is left out and all its problems are listed; the others
 * are kept. Unknown properties are dropped. An id used twice in one list counts once, silently: that is a retry.
 *
 * @param input - what should be an array of events
 * @param now - milliseconds since 1970 by the edge's clock
 * @param root - how the caller names the array in paths
 */
export function parseEvents(input: unknown, now: number, root = 'events'): ParsedEvents {
  const events: TrackedEvent[] = []
  const issues: Issue[] = []
  if (!Array.isArray(input)) {
    issues.push(issue(root, 'EVENTS_NOT_ARRAY', 'must be an array', 'array of events', input))
    return { events, issues }
  }
  const seen = new Set<string>()
  input.forEach((candidate: unknown, index) => {
    const event = parseEvent(candidate, now, `${root}[${index}]`, issues)
    if (event === undefined || seen.has(event.id)) return
    seen.add(event.id)
    events.push(event)
  })
  return { events, issues }
}

function parseEvent(input: unknown, now: number, path: string, issues: Issue[]): TrackedEvent | undefined {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    issues.push(issue(path, 'EVENT_NOT_OBJECT', 'must be an object', 'object', input))
    return undefined
  }
  const before = issues.length
  const field = (name: string): unknown => (Object.hasOwn(input, name) ? Reflect.get(input, name) : undefined)
  const fail = (name: string, code: string, message: string, expected: string) => {
    issues.push(issue(`${path}.${name}`, code, message, expected, field(name)))
  }

  const id = field('id')
  if (!isUuid(id)) fail('id', 'EVENT_ID_INVALID', 'must be a UUID', 'UUID')

  const kind = field('kind')
  if (!isEventKind(kind)) {
    fail('kind', 'EVENT_KIND_UNKNOWN', 'is not a kind of event', `${EVENT_KINDS.join(', ')} or custom:<name>`)
  }

  const at = field('at')
  if (typeof at !== 'number' || !Number.isFinite(at)) {
    fail('at', 'EVENT_TIME_INVALID', 'must be a time', 'milliseconds since 1970')
  } else if (at < now - MAX_EVENT_AGE_MS) {
    fail('at', 'EVENT_TOO_OLD', 'is older than 90 days', `at least ${now - MAX_EVENT_AGE_MS}`)
  } else if (at > now + MAX_CLOCK_AHEAD_MS) {
    fail(
      'at',
      'EVENT_IN_FUTURE',
      'is more than 24 h ahead of the edge',
      `at most ${now + MAX_CLOCK_AHEAD_MS}`,
    )
  }

  const text = (name: string, code: string, max: number): string | undefined => {
    const value = field(name)
    if (value === undefined || value === null) return undefined
    if (typeof value === 'string' && value.length >= 1 && value.length <= max) return value
    fail(name, code, `must be 1 to ${max} characters`, `string of 1–${max} characters`)
    return undefined
  }
  const number = (name: string, code: string, valid: (value: number) => boolean, expected: string) => {
    const value = field(name)
    if (value === undefined || value === null) return undefined
    if (typeof value === 'number' && valid(value)) return value
    fail(name, code, `must be ${expected}`, expected)
    return undefined
  }

  const item = text('item', 'EVENT_ITEM_INVALID', MAX_ITEM_ID_LENGTH)
  const query = text('query', 'EVENT_QUERY_INVALID', MAX_QUERY_LENGTH)
  const slot = text('slot', 'EVENT_SLOT_INVALID', MAX_NAME_LENGTH)
  const decision = text('decision', 'EVENT_DECISION_INVALID', MAX_NAME_LENGTH)
  const position = number(
    'position',
    'EVENT_POSITION_INVALID',
    (value) => Number.isInteger(value) && value >= 0 && value <= 100_000,
    'a whole number from 0 to 100,000',
  )
  const value = number('value', 'EVENT_VALUE_INVALID', Number.isFinite, 'a finite number')
  const tab = text('tab', 'EVENT_TAB_INVALID', MAX_NAME_LENGTH)
  const seq = number(
    'seq',
    'EVENT_SEQ_INVALID',
    (value) => Number.isInteger(value) && value >= 1 && value <= MAX_SEQ,
    'a whole number from 1 to 1,000,000,000',
  )

  if (isEventKind(kind) && issues.length === before) {
    if (item === undefined && needsItem(kind))
      fail('item', 'EVENT_ITEM_MISSING', `is required for ${kind}`, 'item id')
    if (query === undefined && kind === 'search')
      fail('query', 'EVENT_QUERY_MISSING', 'is required for search', 'text')
  }
  if (issues.length > before) return undefined
  return {
    id: (id as string).toLowerCase(),
    kind: kind as EventKind,
    ...(item !== undefined && { item }),
    at: at as number,
    ...(slot !== undefined && { slot }),
    ...(position !== undefined && { position }),
    ...(decision !== undefined && { decision }),
    ...(value !== undefined && { value }),
    ...(query !== undefined && { query }),
    ...(tab !== undefined && { tab }),
    ...(seq !== undefined && { seq }),
  }
}

function issue(path: string, code: string, message: string, expected: string, received: unknown): Issue {
  return {
    path,
    code,
    message: `${path} ${message}: expected ${expected}, received ${describe(received)}`,
    expected,
    received: describe(received),
  }
}
