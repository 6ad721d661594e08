import type { MiddlewareHandler } from 'hono'
import type { AppEnv } from '../app.ts'

/** What callers of an older version of the API are told. */
export interface Deprecation {
  /** ISO 8601 dates. */
  readonly deprecated: string
  readonly sunset?: string
  /** Where it is explained. */
  readonly link?: string
}

/** By version: `v1`. */
export type Deprecations = Readonly<Record<string, Deprecation>>

/** `{"v1":{"deprecated":"2027-01-01","sunset":"2027-07-01","link":"https://…"}}` */
export function readDeprecations(
  input: unknown,
  fail: (path: string, expected: string, received: unknown) => void,
): Deprecations {
  if (input === undefined || input === '') return {}
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    fail('ATTUNE_DEPRECATIONS', 'JSON like {"v1":{"deprecated":"2027-01-01"}}', input)
    return {}
  }
  for (const [version, entry] of Object.entries(input as Record<string, unknown>)) {
    const path = `ATTUNE_DEPRECATIONS.${version}`
    if (!/^v[1-9]\d*$/.test(version)) fail(path, 'a version: v1', version)
    const { deprecated, sunset, link } = (entry ?? {}) as Record<string, unknown>
    if (!isDate(deprecated)) fail(`${path}.deprecated`, 'a date: 2027-01-01', deprecated)
    if (sunset !== undefined && !isDate(sunset)) fail(`${path}.sunset`, 'a date: 2027-07-01', sunset)
    if (isDate(deprecated) && isDate(sunset) && Date.parse(sunset) < Date.parse(deprecated))
      fail(`${path}.sunset`, 'not before it is deprecated', sunset)
    if (link !== undefined && (typeof link !== 'string' || !URL.canParse(link) || /[<>"\s]/.test(link)))
      fail(`${path}.link`, 'a URL', link)
  }
  return input as Deprecations
}

/**
 * Tells callers of a version that it goes away, and when.
 *
 * @see RFC 9745 (Deprecation), RFC 8594 (Sunset)
 */
export function deprecation(version: string, known: Deprecations): MiddlewareHandler<AppEnv> | undefined {
  const entry = known[version]
  if (entry === undefined) return undefined
  const { deprecated, sunset, link } = entry
  const deprecatedAt = `@${Date.parse(deprecated) / 1_000}`
  const sunsetAt = sunset === undefined ? undefined : new Date(sunset).toUTCString()
  return async (c, next) => {
    c.header('deprecation', deprecatedAt)
    if (sunsetAt !== undefined) c.header('sunset', sunsetAt)
    if (link !== undefined) c.header('link', `<${link}>; rel="deprecation"; type="text/html"`)
    await next()
  }
}

function isDate(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    /^\d{4}-\d{2}-\d{2}/.test(value) &&
    Number.isInteger(Date.parse(value) / 1_000)
  )
}
