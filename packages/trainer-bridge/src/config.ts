import { DATABASE, describe, type Issue } from '@attune/core'
import { isIP } from 'node:net'
import { parseSigningKey, type SigningKey } from './artifact/sign.ts'
import type { ClusterOptions } from './cluster/member.ts'
import type { CosmosAccount } from './cosmos-client.ts'
import { BridgeError, sentence } from './error.ts'
import type { EdgeTarget } from './push/edge-client.ts'
import type { FeedStart } from './change-feed/read.ts'

/** Settings of the service; `docs` of each name are in the package's README. */
export interface Config {
  readonly cosmos: CosmosAccount & { readonly database: string }
  readonly edges: readonly EdgeTarget[]
  readonly signingKey: SigningKey
  /** State and artifacts; must survive the process. */
  readonly folder: string
  /** Artifact folder the first epoch comes from, looked at only while `folder` has none. */
  readonly initial: string | undefined
  /** Absent: where the initial artifact's visits end, else the beginning. */
  readonly start: FeedStart | undefined
  readonly deltaIntervalMs: number
  /** How this instance takes part with others; absent: it is alone. */
  readonly cluster?: ClusterOptions | undefined
  /** Of health and metrics; 0: any free one. */
  readonly port: number
  readonly host: string
}

export type Environment = Readonly<Record<string, string | undefined>>

const MIN_KEY_LENGTH = 16

/**
 * Environment variables → configuration.
 *
 * @throws {BridgeError} `CONFIG_INVALID`, once, listing every problem; secrets are never quoted
 */
export function readConfig(env: Environment): Config {
  const issues: Issue[] = []
  const fail = (path: string, expected: string, received: string | undefined): undefined => {
    const shown =
      /KEY|EDGES/.test(path) && received !== undefined ? `${received.length} characters` : describe(received)
    issues.push({
      path,
      code: 'SETTING_INVALID',
      message: `${path}: expected ${expected}, received ${shown}`,
      expected,
    })
    return undefined
  }
  const text = (name: string): string | undefined => (env[name] === '' ? undefined : env[name])
  const required = (name: string, expected: string, valid: (value: string) => boolean): string => {
    const value = text(name)
    if (value === undefined || !valid(value)) fail(name, expected, value)
    return value ?? ''
  }
  const number = (name: string, otherwise: number, min: number, max: number): number => {
    const value = text(name)
    if (value === undefined) return otherwise
    if (!/^\d{1,9}$/.test(value) || Number(value) < min || Number(value) > max)
      fail(name, `${min} to ${max}`, value)
    return Number(value)
  }
  const config = {
    cosmos: {
      endpoint: required('COSMOS_ENDPOINT', 'an http(s) URL', isHttpUrl),
      ...readCredential(text('COSMOS_KEY'), text('COSMOS_IDENTITY'), fail),
      database: text('COSMOS_DATABASE') ?? DATABASE,
    },
    edges: readEdges(text('ATTUNE_EDGES'), text('ATTUNE_PUSH_KEY'), fail),
    signingKey: readKey(text('ATTUNE_SIGNING_KEY'), fail),
    folder: required('ATTUNE_FOLDER', 'a folder that outlives the process', (value) => value.length > 0),
    initial: text('ATTUNE_INITIAL'),
    start: readStart(text('ATTUNE_START'), fail),
    deltaIntervalMs: number('ATTUNE_DELTA_INTERVAL_MS', 500, 20, 500),
    cluster: readCluster(
      text('ATTUNE_CLUSTER_HOST'),
      text('ATTUNE_INSTANCE') ?? text('HOSTNAME'),
      number('ATTUNE_CLUSTER_PORT', 9465, 1, 65_535),
      fail,
    ),
    port: number('PORT', 9464, 0, 65_535),
    host: text('HOST') ?? '0.0.0.0',
  }
  const { signingKey } = config
  if (issues.length > 0 || signingKey === undefined) {
    const lines = issues.map(({ message }) => `  ${message}`).join('\n')
    throw new BridgeError(
      'CONFIG_INVALID',
      `the bridge cannot start, ${issues.length} settings are wrong:\n${lines}`,
      { issues },
    )
  }
  return { ...config, signingKey }
}

type Fail = (path: string, expected: string, received: string | undefined) => undefined

/** The account's key, or the pod's identity; never both. */
function readCredential(
  key: string | undefined,
  identity: string | undefined,
  fail: Fail,
): { readonly key: string } | { readonly identity: 'workload' } {
  if (identity === 'workload') {
    if (key !== undefined) fail('COSMOS_KEY', 'no key beside COSMOS_IDENTITY', key)
    return { identity }
  }
  if (identity !== undefined) fail('COSMOS_IDENTITY', 'workload', identity)
  else if (key === undefined || !isBase64(key))
    fail('COSMOS_KEY', 'the account key in base64, or COSMOS_IDENTITY', key)
  return { key: key ?? '' }
}

/** URLs joined by commas that share ATTUNE_PUSH_KEY, or JSON `[{"url":…,"pushKey":…}]`. */
function readEdges(value: string | undefined, pushKey: string | undefined, fail: Fail): EdgeTarget[] {
  const expected = 'edge URLs joined by commas, or JSON [{"url":"https://…","pushKey":"…"}]'
  if (value === undefined) return fail('ATTUNE_EDGES', expected, undefined) ?? []
  let entries: { url?: unknown; pushKey?: unknown }[]
  try {
    entries = value.trim().startsWith('[')
      ? (JSON.parse(value) as { url?: unknown; pushKey?: unknown }[])
      : value.split(',').map((url) => ({ url: url.trim() }))
  } catch {
    return fail('ATTUNE_EDGES', expected, value) ?? []
  }
  return entries.flatMap((entry, index): EdgeTarget[] => {
    const { url, pushKey: own } = entry ?? {}
    const key = typeof own === 'string' ? own : pushKey
    if (typeof url !== 'string' || !isHttpUrl(url)) {
      return (
        fail(`ATTUNE_EDGES[${index}].url`, 'an http(s) URL', typeof url === 'string' ? url : undefined) ?? []
      )
    }
    if (key === undefined || key.length < MIN_KEY_LENGTH) {
      const path = own === undefined ? 'ATTUNE_PUSH_KEY' : `ATTUNE_EDGES[${index}].pushKey`
      return fail(path, `a key of at least ${MIN_KEY_LENGTH} characters`, key) ?? []
    }
    return [{ url, pushKey: key }]
  })
}

function readCluster(
  host: string | undefined,
  instance: string | undefined,
  port: number,
  fail: Fail,
): ClusterOptions | undefined {
  if (host === undefined) return undefined
  if (!/^[A-Za-z0-9.:-]{1,253}$/.test(host))
    return fail('ATTUNE_CLUSTER_HOST', 'a host name or an address, without a port', host)
  // A name that is used again after a kill would be taken for the one that was killed.
  const life = crypto.randomUUID().slice(0, 8)
  const address = isIP(host) === 0 ? '0.0.0.0' : host
  return { host, port, listen: address, instance: `${instance ?? 'bridge'}-${life}` }
}

function readKey(value: string | undefined, fail: Fail): SigningKey | undefined {
  const expected = 'a private Ed25519 JWK; `attune keys generate` makes one'
  if (value === undefined) return fail('ATTUNE_SIGNING_KEY', expected, undefined)
  try {
    return parseSigningKey(value)
  } catch (error) {
    return fail('ATTUNE_SIGNING_KEY', `${expected} (${sentence(error)})`, value)
  }
}

function readStart(value: string | undefined, fail: Fail): FeedStart | undefined {
  if (value === undefined || value === 'beginning' || value === 'now') return value
  const at = Date.parse(value)
  if (!Number.isNaN(at)) return new Date(at)
  return fail('ATTUNE_START', '"beginning", "now" or an ISO 8601 time', value)
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && ['http:', 'https:'].includes(new URL(text).protocol)
}

function isBase64(text: string): boolean {
  return /^[A-Za-z0-9+/]+={0,2}$/.test(text) && text.length % 4 === 0
}
