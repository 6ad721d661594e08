import { describe, type Consent } from '@attune/core'
import type { Context } from 'hono'
import type { AppEnv } from '../app.ts'
import { EdgeError, type EdgeErrorCode } from '../error.ts'
import { field } from './body.ts'

/**
 * Whether something may be kept of this visitor, or read of what was. What the page says counts; where it says nothing, a
 * browser that sends Global Privacy Control has said no for its user.
 *
 * @param code - what is thrown when `consent` is neither granted nor denied
 * @see https://w3c.github.io/gpc/
 */
export function consentOf(c: Context<AppEnv>, body: object, code: EdgeErrorCode): Consent {
  const said = field(body, 'consent')
  if (said === 'granted' || said === 'denied') return said
  if (said === undefined || said === null) return c.req.header('sec-gpc') === '1' ? 'denied' : 'granted'
  const received = describe(said)
  const expected = 'granted or denied'
  const message = `consent: expected ${expected}, received ${received}`
  throw new EdgeError(code, message, {
    issues: [{ path: 'consent', code: 'FIELD_INVALID', message, expected, received }],
  })
}
