import { CodedError, DATABASE, describe, type Issue } from '@attune/core'
import { parseRules, RulesError, type SlotRules } from '@attune/core/rules'
import { LOG_LEVELS, type LogLevel } from './log.ts'
import { readIdentitySecrets, type IdentitySecrets } from './identity.ts'
import { readDeprecations, type Deprecations } from './middleware/versions.ts'
import { readTelemetry, type TelemetryConfig } from './telemetry/config.ts'

export type ConfigErrorCode = 'CONFIG_INVALID'

/** The edge cannot start. `issues` names every setting that is wrong, and so does the message. */
export class ConfigError extends CodedError<ConfigErrorCode> {
  override readonly name = 'ConfigError'
}

/** One error of all problems. */
export function configError(issues: readonly Issue[]): ConfigError {
  const lines = issues.map((issue) => `  ${issue.message}`).join('\n')
  const message = `the edge cannot start, ${issues.length} settings are wrong:\n${lines}`
  return new ConfigError('CONFIG_INVALID', message, { issues })
}

/** A website whose pages may talk to this edge. */
export interface Site {
  /** Part of every visitor's partition key; never change it. `[a-z0-9-]{1,40}` */
  readonly id: string
  /** Public keys, all valid at once: rotation adds the new one first. */
  readonly keys: readonly string[]
  /** Origins that may call; absent: any. */
  readonly origins?: readonly string[]
}

/** An Ed25519 public key (RFC 8037). */
export interface VerifyKey {
  readonly kty: 'OKP'
  readonly crv: 'Ed25519'
  readonly x: string
  readonly kid?: string
}

export interface CosmosConfig {
  /** Base URLs without a trailing slash; the first is the write region. */
  readonly endpoints: readonly string[]
  /** Account key, base64; absent where an identity signs in instead. */
  readonly key?: string
  /** `workload`: the pod's own identity on AKS, through Entra ID. */
  readonly identity?: 'workload'
  readonly database: string
  /** Name of the region to read from first, as the account document spells it. */
  readonly readRegion?: string
  /** Names of the regions that may be read and written; absent: all of the account. */
  readonly regions?: readonly string[]
}

/** A bucket of `burst` requests that fills by `perSecond`. */
export interface RateLimit {
  readonly perSecond: number
  readonly burst: number
}

/** Whose requests are counted together. */
export type RateScope = 'key' | 'visitor' | 'address'
export type RateLimits = Readonly<Partial<Record<RateScope, RateLimit>>>

/** Requests of a site's pages in a day and a calendar month, UTC; absent: as many as they like. */
export interface Quota {
  readonly perDay?: number
  readonly perMonth?: number
}

/** By site. */
export type Quotas = Readonly<Record<string, Quota>>

export interface Config {
  readonly sites: readonly Site[]
  /** Secret keys of trainers. */
  readonly pushKeys: readonly string[]
  /** Secret keys of operators; none: what only they may do is open to nobody. */
  readonly adminKeys: readonly string[]
  /** Rules of slots of every site; what is stored for a site goes before them. */
  readonly slots: Readonly<Record<string, SlotRules>>
  /** Signs visitor handles. The first signs, all verify: rotation puts the new one in front. */
  readonly visitorSecrets: readonly string[]
  readonly verifyKeys: readonly VerifyKey[]
  readonly cosmos: CosmosConfig
  /** Put timings and RU into answers. */
  readonly diagnostics: boolean
  /** How often may who ask; absent: as often as they like. */
  readonly limits: RateLimits
  readonly quotas: Quotas
  /** Versions of the API that go away. */
  readonly deprecations: Deprecations
  /** The address of a visitor is the last entry of X-Forwarded-For, which a proxy of ours has written. */
  readonly trustProxy: boolean
  /** Secrets by which sites' servers prove their users; a site without any cannot identify. */
  readonly identitySecrets: IdentitySecrets
  /** Days a batch is kept; absent: the container's own TTL. */
  readonly retentionDays?: number
  /** Days a user's links are kept after the user was last identified; absent: until they are deleted. */
  readonly userRetentionDays?: number
  /** Least level that is logged. */
  readonly logLevel: LogLevel
  /** A model whose lists take longer is refused; milliseconds. */
  readonly maxRankMs: number
  /** Share of answers whose list is kept in Cosmos, 0 to 1. */
  readonly decisions: number
  /** Where traces and metrics go; absent: nowhere. */
  readonly telemetry?: TelemetryConfig
}

const SITE_ID = /^[a-z0-9-]{1,40}$/
const MIN_SECRET_LENGTH = 16
const DEFAULT_MAX_RANK_MS = 50

/** Names of the settings; `wrangler.jsonc` and containers use the same. */
export type Environment = Readonly<Record<string, unknown>>

/**
 * Bindings or environment variables → configuration.
 *
 * @throws {ConfigError} `CONFIG_INVALID`, once, listing every problem
 */
export function readConfig(env: Environment): Config {
  const issues: Issue[] = []
  const fail = (path: string, expected: string, received: unknown): void => {
    const shown =
      /KEY|SECRET/.test(path) && typeof received === 'string'
        ? `${received.length} characters`
        : describe(received)
    issues.push({
      path,
      code: 'SETTING_INVALID',
      message: `${path}: expected ${expected}, received ${shown}`,
      expected,
    })
  }
  const text = (name: string): string | undefined => {
    const value = env[name]
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  const list = (
    name: string,
    expected: string,
    valid: (entry: string) => boolean,
    needed: boolean = true,
  ): string[] => {
    const entries = (text(name) ?? '').split(',').flatMap((entry) => entry.trim() || [])
    if (entries.length === 0 && needed) fail(name, expected, undefined)
    for (const entry of entries) if (!valid(entry)) fail(name, expected, entry)
    return entries
  }
  const json = (name: string, expected: string): unknown => {
    const value = env[name]
    if (typeof value !== 'string') return value
    try {
      return JSON.parse(value)
    } catch {
      fail(name, expected, 'text that is not JSON')
      return undefined
    }
  }
  const secret = (entry: string) => entry.length >= MIN_SECRET_LENGTH

  const sites = readSites(json('ATTUNE_SITES', 'JSON'), fail)
  const verifyKeys = readVerifyKeys(json('ATTUNE_VERIFY_KEYS', 'JSON'), fail)
  const secretKeys = `keys of at least ${MIN_SECRET_LENGTH} characters, joined by commas`
  const pushKeys = list('ATTUNE_PUSH_KEYS', secretKeys, secret)
  const adminKeys = list('ATTUNE_ADMIN_KEYS', secretKeys, secret, false)
  const visitorSecrets = list(
    'ATTUNE_VISITOR_SECRETS',
    `secrets of at least ${MIN_SECRET_LENGTH} characters`,
    secret,
  )
  const endpoints = list('COSMOS_ENDPOINTS', 'http(s) URLs, the write region first', isHttpUrl)
  const regions = list('COSMOS_REGIONS', 'names of regions', () => true, false)
  const readRegion = text('COSMOS_READ_REGION')
  if (readRegion !== undefined && regions.length > 0 && !regions.includes(readRegion))
    fail('COSMOS_READ_REGION', 'one of COSMOS_REGIONS', readRegion)
  const key = text('COSMOS_KEY')
  const identity = text('COSMOS_IDENTITY')
  if (identity !== undefined && identity !== 'workload') fail('COSMOS_IDENTITY', 'workload', identity)
  else if (identity !== undefined && key !== undefined)
    fail('COSMOS_KEY', 'no key beside COSMOS_IDENTITY', key)
  else if (identity === undefined && (key === undefined || !isBase64(key)))
    fail('COSMOS_KEY', 'the account key in base64, or COSMOS_IDENTITY', key)
  const days = (name: string): number | undefined => {
    const said = text(name)
    if (said !== undefined && !/^[1-9]\d{0,3}$/.test(said)) fail(name, '1 to 9999', said)
    return said === undefined ? undefined : Number(said)
  }
  const retentionDays = days('ATTUNE_RETENTION_DAYS')
  const userRetentionDays = days('ATTUNE_USER_RETENTION_DAYS')
  const identitySecrets = readIdentitySecrets(json('ATTUNE_IDENTITY_SECRETS', 'JSON'), sites, fail)
  const maxRankMs = Number(text('ATTUNE_MAX_RANK_MS') ?? DEFAULT_MAX_RANK_MS)
  if (!(maxRankMs > 0)) fail('ATTUNE_MAX_RANK_MS', 'more than 0', text('ATTUNE_MAX_RANK_MS'))
  const slots = readSlots(json('ATTUNE_SLOTS', 'JSON'), issues, fail)
  const limits = readLimits(json('ATTUNE_LIMITS', 'JSON'), fail)
  const deprecations = readDeprecations(json('ATTUNE_DEPRECATIONS', 'JSON'), fail)
  const quotas = readQuotas(json('ATTUNE_QUOTAS', 'JSON'), sites, fail)
  const trustProxy = text('ATTUNE_TRUST_PROXY')
  if (trustProxy !== undefined && !['true', 'false'].includes(trustProxy))
    fail('ATTUNE_TRUST_PROXY', 'true or false', trustProxy)
  const diagnostics = text('ATTUNE_DIAGNOSTICS')
  if (diagnostics !== undefined && !['true', 'false'].includes(diagnostics))
    fail('ATTUNE_DIAGNOSTICS', 'true or false', diagnostics)

  const decisions = Number(text('ATTUNE_DECISIONS') ?? 0)
  if (!(decisions >= 0 && decisions <= 1)) fail('ATTUNE_DECISIONS', '0 to 1', text('ATTUNE_DECISIONS'))
  const level = text('ATTUNE_LOG_LEVEL') ?? 'info'
  const logLevel = LOG_LEVELS.find((known) => known === level)
  if (logLevel === undefined) fail('ATTUNE_LOG_LEVEL', LOG_LEVELS.join(', '), level)
  const telemetry = readTelemetry(text, fail)

  for (const site of sites) {
    for (const [name, keys] of [
      ['ATTUNE_PUSH_KEYS', pushKeys] as const,
      ['ATTUNE_ADMIN_KEYS', adminKeys] as const,
    ]) {
      const clash = site.keys.find((siteKey) => keys.includes(siteKey))
      if (clash !== undefined) fail(name, `keys that are not public keys of site ${site.id}`, clash)
    }
  }
  const both = adminKeys.find((key) => pushKeys.includes(key))
  if (both !== undefined) fail('ATTUNE_ADMIN_KEYS', 'keys that are not push keys', both)
  if (issues.length > 0) throw configError(issues)
  return {
    sites,
    pushKeys,
    adminKeys,
    slots,
    visitorSecrets,
    identitySecrets,
    verifyKeys,
    cosmos: {
      endpoints: endpoints.map(normalEndpoint),
      ...(identity === undefined ? { key: key ?? '' } : { identity: 'workload' as const }),
      database: text('COSMOS_DATABASE') ?? DATABASE,
      ...(readRegion !== undefined && { readRegion }),
      ...(regions.length > 0 && { regions }),
    },
    diagnostics: diagnostics === 'true',
    limits,
    quotas,
    deprecations,
    trustProxy: trustProxy === 'true',
    ...(retentionDays !== undefined && { retentionDays }),
    ...(userRetentionDays !== undefined && { userRetentionDays }),
    logLevel: logLevel ?? 'info',
    maxRankMs,
    decisions,
    ...(telemetry !== undefined && { telemetry }),
  }
}

type Fail = (path: string, expected: string, received: unknown) => void

function readSites(input: unknown, fail: Fail): Site[] {
  if (!Array.isArray(input) || input.length === 0) {
    fail(
      'ATTUNE_SITES',
      'JSON like [{"id":"shop","keys":["pk_…"],"origins":["https://shop.example"]}]',
      input,
    )
    return []
  }
  const seen = new Set<string>()
  return input.flatMap((entry: unknown, index): Site[] => {
    const path = `ATTUNE_SITES[${index}]`
    const { id, keys, origins } = (typeof entry === 'object' && entry !== null ? entry : {}) as Record<
      string,
      unknown
    >
    if (typeof id !== 'string' || !SITE_ID.test(id)) fail(`${path}.id`, 'a–z, 0–9 and -, 1 to 40 of them', id)
    else if (seen.has(id)) fail(`${path}.id`, 'an id of its own', id)
    else seen.add(id)
    const good =
      Array.isArray(keys) &&
      keys.length > 0 &&
      keys.every((key) => typeof key === 'string' && key.length >= 8)
    if (!good)
      fail(
        `${path}.keys`,
        'one or more keys of at least 8 characters',
        Array.isArray(keys) ? keys.length : keys,
      )
    const listed =
      origins === undefined ||
      (Array.isArray(origins) && origins.every((o) => typeof o === 'string' && isOrigin(o)))
    if (!listed) fail(`${path}.origins`, 'origins like https://shop.example', origins)
    for (const key of good ? (keys as string[]) : []) {
      if (seen.has(`key ${key}`)) fail(`${path}.keys`, 'keys that no other site has', 'one used twice')
      seen.add(`key ${key}`)
    }
    if (!good || !listed || typeof id !== 'string') return []
    return [{ id, keys: keys as string[], ...(origins !== undefined && { origins: origins as string[] }) }]
  })
}

function readVerifyKeys(input: unknown, fail: Fail): VerifyKey[] {
  if (!Array.isArray(input) || input.length === 0) {
    fail('ATTUNE_VERIFY_KEYS', 'a JSON array of public Ed25519 keys (JWK)', input)
    return []
  }
  return input.flatMap((entry: unknown, index): VerifyKey[] => {
    const { kty, crv, x, d, kid } = (typeof entry === 'object' && entry !== null ? entry : {}) as Record<
      string,
      unknown
    >
    const path = `ATTUNE_VERIFY_KEYS[${index}]`
    if (d !== undefined) fail(path, 'a public key', 'a private one; take its "d" out')
    if (kty !== 'OKP' || crv !== 'Ed25519' || typeof x !== 'string') {
      fail(path, 'a JWK with kty OKP, crv Ed25519 and x', entry)
      return []
    }
    return [{ kty, crv, x, ...(typeof kid === 'string' && { kid }) }]
  })
}

/** Rules by slot, every problem of every slot told. */
function readSlots(input: unknown, issues: Issue[], fail: Fail): Record<string, SlotRules> {
  if (input === undefined || input === '') return {}
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    fail('ATTUNE_SLOTS', 'JSON like {"for-you":{"minStock":1}}', input)
    return {}
  }
  const read = Object.entries(input).flatMap(([slot, rules]: [string, unknown]) => {
    try {
      return [[slot, parseRules(rules, `ATTUNE_SLOTS.${slot}`)] as const]
    } catch (error) {
      if (!(error instanceof RulesError)) throw error
      issues.push(...error.issues)
      return []
    }
  })
  return Object.fromEntries(read)
}

function readLimits(input: unknown, fail: Fail): RateLimits {
  if (input === undefined || input === '') return {}
  const limits: Partial<Record<RateScope, RateLimit>> = {}
  const entries =
    typeof input === 'object' && input !== null && !Array.isArray(input) ? Object.entries(input) : []
  if (entries.length === 0) fail('ATTUNE_LIMITS', 'JSON like {"address":{"perSecond":20,"burst":100}}', input)
  for (const [scope, entry] of entries) {
    const { perSecond, burst } = (entry ?? {}) as Record<string, unknown>
    const known = scope === 'key' || scope === 'visitor' || scope === 'address'
    if (!known) fail(`ATTUNE_LIMITS.${scope}`, 'key, visitor or address', scope)
    if (typeof perSecond !== 'number' || !(perSecond > 0))
      fail(`ATTUNE_LIMITS.${scope}.perSecond`, 'more than 0', perSecond)
    else if (typeof burst !== 'number' || !(burst >= 1))
      fail(`ATTUNE_LIMITS.${scope}.burst`, '1 or more', burst)
    else if (known) limits[scope] = { perSecond, burst }
  }
  return limits
}

function readQuotas(input: unknown, sites: readonly Site[], fail: Fail): Quotas {
  if (input === undefined || input === '') return {}
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    fail('ATTUNE_QUOTAS', 'JSON like {"shop":{"perDay":1000000,"perMonth":20000000}}', input)
    return {}
  }
  for (const [site, quota] of Object.entries(input as Record<string, unknown>)) {
    const path = `ATTUNE_QUOTAS.${site}`
    if (!sites.some(({ id }) => id === site)) fail(path, 'the id of a site', site)
    const entries = typeof quota === 'object' && quota !== null ? Object.entries(quota) : []
    if (entries.length === 0) fail(path, 'perDay or perMonth', quota)
    for (const [name, value] of entries) {
      if (name !== 'perDay' && name !== 'perMonth') fail(`${path}.${name}`, 'perDay or perMonth', name)
      else if (!Number.isInteger(value) || Number(value) < 1)
        fail(`${path}.${name}`, 'a whole number from 1', value)
    }
  }
  return input as Quotas
}

/** One spelling per endpoint: no default port, no slash at the end. */
export function normalEndpoint(endpoint: string): string {
  return new URL(endpoint).href.replace(/\/+$/, '')
}

function isHttpUrl(text: string): boolean {
  try {
    return ['http:', 'https:'].includes(new URL(text).protocol)
  } catch {
    return false
  }
}

function isOrigin(text: string): boolean {
  return isHttpUrl(text) && new URL(text).origin === text
}

function isBase64(text: string): boolean {
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) && text.length % 4 === 0
}
