import { describe, type Issue } from '@attune/core'
import { safeParse, type BaseIssue, type GenericSchema } from 'valibot'
import { EdgeError, type EdgeErrorCode } from '../error.ts'

// One schema validates a request and describes it in the OpenAPI document. A schema's own message is what it expected.

/** Problems told of one request; more would help nobody. */
const MAX_ISSUES = 100
/** Problems in the one sentence for people. */
const MAX_TOLD = 3

/**
 * Unknown JSON → what the schema says, unknown properties dropped.
 *
 * @param code - what is thrown
 * @throws {EdgeError} `code`, every problem with its path
 */
export function check<T>(schema: GenericSchema<unknown, T>, input: unknown, code: EdgeErrorCode): T {
  const result = safeParse(schema, input)
  if (result.success) return result.output
  const issues = result.issues.slice(0, MAX_ISSUES).map((issue) => toIssue(issue))
  const told = issues.slice(0, MAX_TOLD).map((issue) => issue.message)
  throw new EdgeError(code, told.join('; '), { issues })
}

/**
 * Unknown JSON → what the schema says, or every problem.
 *
 * @param root - how the caller names the input in paths
 */
export function tryCheck<T>(
  schema: GenericSchema<unknown, T>,
  input: unknown,
  root: string,
): { readonly output: T } | { readonly issues: readonly Issue[] } {
  const result = safeParse(schema, input)
  if (result.success) return { output: result.output }
  return { issues: result.issues.slice(0, MAX_ISSUES).map((issue) => toIssue(issue, root)) }
}

function toIssue(issue: BaseIssue<unknown>, root = ''): Issue {
  const path = pathOf(issue, root)
  const expected = issue.message.startsWith('Invalid ') ? (issue.expected ?? 'another value') : issue.message
  const received = describe(issue.input)
  return {
    path,
    code: 'FIELD_INVALID',
    message: `${path === '' ? 'body' : path}: expected ${expected}, received ${received}`,
    expected,
    received,
  }
}

/** As one would write it in code: `items[3].attributes.stock`. */
function pathOf({ path }: BaseIssue<unknown>, root: string): string {
  let text = root
  for (const { key } of path ?? []) {
    if (typeof key === 'number') text += `[${key}]`
    else text += text === '' ? String(key) : `.${String(key)}`
  }
  return text
}
