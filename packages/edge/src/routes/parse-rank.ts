import {
  DEFAULT_LIST_LENGTH,
  describe,
  MAX_CANDIDATES,
  MAX_ITEM_ID_LENGTH,
  MAX_LIST_LENGTH,
  MAX_NAME_LENGTH,
  MAX_RECENT_EVENTS,
  parseEvents,
  parseSessionToken,
  SessionTokenError,
  STRATEGIES,
  type Issue,
  type Strategy,
  type TrackedEvent,
} from '@attune/core'
import { parseExpression, type Expression } from '@attune/core/rules'
import { EdgeError } from '../error.ts'
import { field } from '../middleware/body.ts'

/** A rank request with its defaults filled in. */
export interface ParsedRankRequest {
  readonly slot: string
  readonly visitor: string | undefined
  readonly session: string | undefined
  /** undefined: what the slot is for */
  readonly strategy: Strategy | undefined
  readonly item: string | undefined
  readonly candidates: readonly string[] | undefined
  readonly k: number
  readonly exclude: readonly string[]
  readonly filter: Expression | undefined
  readonly recent: readonly TrackedEvent[]
  readonly history: 'full' | 'recent'
  readonly device: boolean
}

const MAX_HANDLE_LENGTH = 200

/**
 * Unknown JSON → rank request, every problem with its path.
 *
 * @throws {EdgeError} `RANK_MALFORMED`
 */
export function parseRank(input: object, now: number): ParsedRankRequest {
  const issues: Issue[] = []
  const fail = (path: string, expected: string, received: unknown): undefined => {
    const shown = describe(received)
    issues.push({
      path,
      code: 'FIELD_INVALID',
      message: `${path}: expected ${expected}, received ${shown}`,
      expected,
      received: shown,
    })
  }
  const text = (name: string, max: number): string | undefined => {
    const value = field(input, name)
    if (value === undefined || value === null) return undefined
    if (typeof value === 'string' && value.length >= 1 && value.length <= max) return value
    return fail(name, `1 to ${max} characters`, value)
  }
  const oneOf = <T extends string, F>(name: string, choices: readonly T[], fallback: F): T | F => {
    const value = field(input, name)
    if (value === undefined || value === null) return fallback
    const choice = choices.find((known) => known === value)
    if (choice === undefined) fail(name, choices.join(' or '), value)
    return choice ?? fallback
  }
  const ids = (name: string): string[] | undefined => {
    const value = field(input, name)
    if (value === undefined || value === null) return undefined
    if (!Array.isArray(value) || value.length > MAX_CANDIDATES)
      return fail(name, `at most ${MAX_CANDIDATES} item ids`, value)
    const wrong = value.findIndex(
      (id) => typeof id !== 'string' || id.length < 1 || id.length > MAX_ITEM_ID_LENGTH,
    )
    if (wrong >= 0)
      return fail(`${name}[${wrong}]`, `an item id of 1 to ${MAX_ITEM_ID_LENGTH} characters`, value[wrong])
    return value as string[]
  }

  const slot = text('slot', MAX_NAME_LENGTH)
  if (slot === undefined && issues.length === 0) fail('slot', `1 to ${MAX_NAME_LENGTH} characters`, undefined)
  const visitor = text('visitor', MAX_HANDLE_LENGTH)
  const strategy = oneOf('strategy', STRATEGIES, undefined)
  const item = text('item', MAX_ITEM_ID_LENGTH)
  if (strategy === 'similar' && item === undefined)
    fail('item', 'an item id, as strategy is similar', undefined)
  const candidates = ids('candidates')
  const exclude = ids('exclude') ?? []
  const said = field(input, 'filter') ?? undefined
  const filter = said === undefined ? undefined : parseExpression(said, 'filter', issues)
  const k = field(input, 'k') ?? DEFAULT_LIST_LENGTH
  if (typeof k !== 'number' || !Number.isInteger(k) || k < 1 || k > MAX_LIST_LENGTH)
    fail('k', `1 to ${MAX_LIST_LENGTH}`, k)
  const recent = readRecent(field(input, 'recent'), now, issues)
  const history = oneOf('history', ['full', 'recent'] as const, 'full')
  const device = field(input, 'device') ?? false
  if (typeof device !== 'boolean') fail('device', 'true or false', device)
  const session = readSession(field(input, 'session'), issues)
  if (issues.length > 0) {
    throw new EdgeError(
      'RANK_MALFORMED',
      issues
        .map((issue) => issue.message)
        .slice(0, 3)
        .join('; '),
      { issues },
    )
  }
  return {
    slot: slot ?? '',
    visitor,
    session,
    strategy,
    item,
    candidates,
    k: k as number,
    exclude,
    filter,
    recent,
    history,
    device: device === true,
  }
}

/** Events of a page: a bad one is left out, as the page cannot do anything about it here; `/v1/events` names it. */
function readRecent(input: unknown, now: number, issues: Issue[]): TrackedEvent[] {
  if (input === undefined || input === null) return []
  if (Array.isArray(input) && input.length <= MAX_RECENT_EVENTS)
    return parseEvents(input, now, 'recent').events
  const expected = `at most ${MAX_RECENT_EVENTS} events`
  issues.push({
    path: 'recent',
    code: 'FIELD_INVALID',
    message: `recent: expected ${expected}, received ${describe(input)}`,
    expected,
  })
  return []
}

/** A Cosmos session token, checked and handed on as it is. */
export function readSession(input: unknown, issues: Issue[]): string | undefined {
  if (input === undefined || input === null || input === '') return undefined
  try {
    if (typeof input !== 'string')
      throw new SessionTokenError(
        'SESSION_TOKEN_MALFORMED',
        `session: expected text, received ${describe(input)}`,
      )
    parseSessionToken(input)
    return input
  } catch (error) {
    if (!(error instanceof SessionTokenError)) throw error
    issues.push({ path: 'session', code: error.code, message: error.message })
    return undefined
  }
}
