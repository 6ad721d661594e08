import { createPublicKey, verify, type KeyObject } from 'node:crypto'
import { ProtocolError } from '../errors.ts'
import type { Operation } from './route.ts'

/** Who may come with a token of Entra ID, and what for: Cosmos's data-plane roles, as far as programs meet them. */
export interface EntraOptions {
  /** Public RSA keys that may have signed a token, PEM. */
  readonly keys: readonly string[]
  /** By object id (`oid`); a principal that is not named may do nothing. */
  readonly principals: Readonly<Record<string, Grant>>
}

/** Every principal may read everything; containers are those it may write. */
export interface Grant {
  readonly writes: 'all' | readonly string[]
}

export interface Entra {
  readonly keys: readonly KeyObject[]
  readonly principals: Readonly<Record<string, Grant>>
}

/** What Cosmos's own clients ask tokens for, with and without the slash that some libraries add. */
const AUDIENCES: readonly string[] = ['https://cosmos.azure.com', 'https://cosmos.azure.com/']
const WRITES: readonly Operation[] = ['create', 'upsert', 'replace', 'patch', 'delete', 'batch']
const METADATA: readonly Operation[] = ['database', 'container', 'offer']
/** Substatus of what no token may do, and of what this principal may not. */
const NOT_BY_TOKEN = 5300
const NO_PERMISSION = 5302

/** @throws {TypeError} for text that is no public key */
export function entraFrom({ keys, principals }: EntraOptions): Entra {
  return { keys: keys.map((key) => createPublicKey(key)), principals }
}

/** `type=aad&ver=1.0&sig=<token>` → the token; undefined for anything else. */
export function tokenIn(authorization: string | undefined): string | undefined {
  if (authorization === undefined || !/^type(=|%3d)aad/i.test(authorization)) return undefined
  let text = authorization
  try {
    text = decodeURIComponent(authorization)
  } catch {
    // As it came.
  }
  return /^type=aad&ver=1\.0&sig=(.+)$/.exec(text)?.[1] ?? ''
}

/**
 * Whose token it is: an RS256 JWT (RFC 7519) for Cosmos, signed by a known key and neither too early nor expired.
 *
 * @throws {ProtocolError} 401
 */
export function principalOf(entra: Entra | undefined, token: string, nowMs: number): string {
  const refuse = (why: string): ProtocolError =>
    new ProtocolError(401, `The AAD token cannot be used: ${why}.`)
  if (entra === undefined) throw refuse('this account takes keys only')
  const [head = '', body = '', signature = '', ...rest] = token.split('.')
  const header = parse(head)
  const claims = parse(body)
  if (rest.length > 0 || header === undefined || claims === undefined) throw refuse('it is not a JWT')
  if (header['alg'] !== 'RS256') throw refuse(`expected RS256, received ${String(header['alg'])}`)
  const signed = Buffer.from(`${head}.${body}`)
  const given = Buffer.from(signature, 'base64url')
  if (!entra.keys.some((key) => verify('RSA-SHA256', signed, key, given)))
    throw refuse('its signature is of no known key')
  const { aud, exp, nbf, oid } = claims
  if (!AUDIENCES.includes(String(aud))) throw refuse(`it is for ${String(aud)}`)
  const seconds = nowMs / 1_000
  if (typeof exp !== 'number' || exp <= seconds) throw refuse('it has expired')
  if (typeof nbf === 'number' && nbf > seconds + 300) throw refuse('it is not valid yet')
  if (typeof oid !== 'string') throw refuse('it names no principal')
  return oid
}

/**
 * Holds an operation against what a principal may do.
 *
 * @param container - id of the container, where the request names one
 * @throws {ProtocolError} 403
 */
export function permit(
  entra: Entra | undefined,
  principal: string,
  operation: Operation,
  method: string,
  container: string | undefined,
): void {
  if (METADATA.includes(operation) && method !== 'GET') {
    const message = `The given request [${method} ${operation}] cannot be authorized by AAD token in data plane.`
    throw new ProtocolError(403, message, { substatus: NOT_BY_TOKEN })
  }
  const grant = entra?.principals[principal]
  const { writes = [] } = grant ?? {}
  const may =
    grant !== undefined &&
    (!WRITES.includes(operation) || writes === 'all' || writes.includes(container ?? ''))
  if (may) return
  const message = `Request blocked by Auth: principal [${principal}] does not have required RBAC permissions to perform [${operation}] on [${container ?? 'the account'}].`
  throw new ProtocolError(403, message, { substatus: NO_PERMISSION })
}

/** A part of a JWT as an object; undefined: it is none. */
function parse(part: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}
