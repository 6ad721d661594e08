import type { Deprecations } from '../middleware/versions.ts'
import type { Environment, Quota, RateLimits, VerifyKey } from '../config.ts'

/** An edge of one's own machine, for the shop, tests and benches. */
export interface EdgeOptions {
  /** Absent or 0: any free one. */
  readonly port?: number
  /** Folder for models; absent: forgotten at the end. */
  readonly persist?: string
  readonly cosmos: {
    /** One base URL, or several: the write region first. */
    readonly endpoint: string | readonly string[]
    readonly key: string
    readonly database?: string
    /** Name of the region to read from first. */
    readonly readRegion?: string
    /** Names of the regions that may be read and written. */
    readonly regions?: readonly string[]
  }
  readonly site: { readonly id: string; readonly key: string }
  readonly pushKey: string
  /** Absent: what only operators may do is open to nobody. */
  readonly adminKey?: string
  readonly visitorSecret: string
  /** By which the site's server proves its users. */
  readonly identitySecret?: string
  /** Public Ed25519 keys of trainers. */
  readonly verifyKeys: readonly VerifyKey[]
  /** Origins that may call; absent: any. */
  readonly origins?: readonly string[]
  readonly diagnostics?: boolean
  /** The visitor's address is the last entry of X-Forwarded-For. */
  readonly trustProxy?: boolean
  /** A model whose lists take longer is refused; milliseconds. */
  readonly maxRankMs?: number
  /** How often may who ask; absent: as often as they like. */
  readonly limits?: RateLimits
  /** How much the site may ask; absent: as much as it likes. */
  readonly quota?: Quota
  /** Versions of the API that go away. */
  readonly deprecations?: Deprecations
  /** Further settings under the names a deployment uses. */
  readonly settings?: Readonly<Record<string, string>>
}

export interface RunningEdge {
  /** Without a slash at the end. */
  readonly url: string
  /** Process that serves: workerd's own, or this one. */
  readonly pid: number
  close(): Promise<void>
}

/** The same settings as a deployment has: config.ts reads them. */
export function environmentOf(options: EdgeOptions): Environment {
  const { cosmos, site, origins } = options
  return {
    ATTUNE_SITES: JSON.stringify([
      { id: site.id, keys: [site.key], ...(origins !== undefined && { origins }) },
    ]),
    ATTUNE_PUSH_KEYS: options.pushKey,
    ...(options.adminKey !== undefined && { ATTUNE_ADMIN_KEYS: options.adminKey }),
    ATTUNE_VISITOR_SECRETS: options.visitorSecret,
    ATTUNE_VERIFY_KEYS: JSON.stringify(options.verifyKeys),
    COSMOS_ENDPOINTS: [cosmos.endpoint].flat().join(','),
    COSMOS_KEY: cosmos.key,
    ...(cosmos.database !== undefined && { COSMOS_DATABASE: cosmos.database }),
    ...(cosmos.readRegion !== undefined && { COSMOS_READ_REGION: cosmos.readRegion }),
    ...(cosmos.regions !== undefined && { COSMOS_REGIONS: cosmos.regions.join(',') }),
    ...(options.identitySecret !== undefined && {
      ATTUNE_IDENTITY_SECRETS: JSON.stringify({ [site.id]: [options.identitySecret] }),
    }),
    ...(options.quota !== undefined && { ATTUNE_QUOTAS: JSON.stringify({ [site.id]: options.quota }) }),
    ...(options.deprecations !== undefined && { ATTUNE_DEPRECATIONS: JSON.stringify(options.deprecations) }),
    ...(options.trustProxy !== undefined && { ATTUNE_TRUST_PROXY: String(options.trustProxy) }),
    ...(options.maxRankMs !== undefined && { ATTUNE_MAX_RANK_MS: String(options.maxRankMs) }),
    ...(options.limits !== undefined && { ATTUNE_LIMITS: JSON.stringify(options.limits) }),
    ATTUNE_DIAGNOSTICS: String(options.diagnostics ?? false),
    ...options.settings,
  }
}
