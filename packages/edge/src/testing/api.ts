import type {
  EventsRequest,
  EventsResponse,
  ModelsResponse,
  Problem,
  RankRequest,
  RankResponse,
  TrackedEvent,
} from '@attune/core'
import type { EdgeOptions } from '../host/options.ts'
import type { TestArtifact, TestSigner } from './artifact.ts'

/** An answer with its status; `body` is undefined when empty. */
export interface Answer<T> {
  readonly status: number
  readonly headers: Headers
  readonly body: T
}

export type OrProblem<T> = T & Problem

export const SITE = { id: 'shop', key: 'pk_test_site_key' } as const
export const PUSH_KEY = 'push_test_key_of_32_characters__'
export const ADMIN_KEY = 'admin_test_key_of_32_characters_'
export const VISITOR_SECRET = 'a visitor secret for tests only'
export const IDENTITY_SECRET = 'an identity secret for tests only'

/** Options of an edge for tests; port and folder are the caller's. */
export function edgeOptions(cosmos: EdgeOptions['cosmos'], signer: TestSigner): EdgeOptions {
  return {
    cosmos,
    site: SITE,
    pushKey: PUSH_KEY,
    adminKey: ADMIN_KEY,
    visitorSecret: VISITOR_SECRET,
    identitySecret: IDENTITY_SECRET,
    verifyKeys: [signer.publicKey],
    diagnostics: true,
  }
}

/** Calls an edge as pages and trainers do. */
export class Api {
  readonly url: string

  constructor(url: string) {
    this.url = url
  }

  async send<T>(
    method: string,
    path: string,
    init: { body?: BodyInit; headers?: Record<string, string> } = {},
  ): Promise<Answer<OrProblem<T>>> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      ...init,
      signal: AbortSignal.timeout(60_000),
    })
    const text = await response.text()
    return {
      status: response.status,
      headers: response.headers,
      body: (text === '' ? undefined : JSON.parse(text)) as OrProblem<T>,
    }
  }

  page<T>(path: string, body: unknown, key: string = SITE.key): Promise<Answer<OrProblem<T>>> {
    return this.send('POST', `${path}?key=${encodeURIComponent(key)}`, {
      body: typeof body === 'string' ? body : JSON.stringify(body),
      headers: { 'content-type': 'text/plain' },
    })
  }

  async visitor(): Promise<string> {
    return (await this.page<{ visitor: string }>('/v1/visitors', {})).body.visitor
  }

  events(
    visitor: string,
    events: readonly TrackedEvent[],
    more: Partial<Omit<EventsRequest, 'visitor' | 'events'>> = {},
  ): Promise<Answer<OrProblem<EventsResponse>>> {
    return this.page('/v1/events', { batch: crypto.randomUUID(), visitor, events, ...more })
  }

  rank(request: Partial<RankRequest>): Promise<Answer<OrProblem<RankResponse>>> {
    return this.page('/v1/rank', { slot: 'for-you', ...request })
  }

  push<T>(
    method: string,
    path: string,
    body?: Uint8Array<ArrayBuffer> | string,
    key: string = PUSH_KEY,
  ): Promise<Answer<OrProblem<T>>> {
    return this.send(method, path, {
      ...(body !== undefined && { body }),
      headers: { authorization: `Bearer ${key}` },
    })
  }

  /** Calls as an operator, with a JSON body. */
  admin<T>(
    method: string,
    path: string,
    body?: unknown,
    key: string = ADMIN_KEY,
  ): Promise<Answer<OrProblem<T>>> {
    return this.push(method, path, body === undefined ? undefined : JSON.stringify(body), key)
  }

  models(): Promise<Answer<OrProblem<ModelsResponse>>> {
    return this.push('GET', '/v1/models')
  }

  /** Uploads every file and pushes the signed manifest. */
  async pushArtifact(
    signer: TestSigner,
    artifact: TestArtifact,
  ): Promise<Answer<OrProblem<{ epoch: number; delta: number }>>> {
    await this.pushFiles(artifact)
    return this.pushManifest(signer, artifact.manifest)
  }

  async pushFiles({ files, manifest }: TestArtifact): Promise<number[]> {
    const statuses: number[] = []
    for (const [role, bytes] of files) {
      const answer = await this.push(
        'PUT',
        `/v1/models/files/${manifest.files[role]?.sha256 ?? ''}`,
        Uint8Array.from(bytes),
      )
      statuses.push(answer.status)
    }
    return statuses
  }

  async pushManifest(
    signer: TestSigner,
    manifest: TestArtifact['manifest'],
    epoch: number = manifest.epoch,
  ): Promise<Answer<OrProblem<{ epoch: number; delta: number }>>> {
    return this.push('PUT', `/v1/models/${epoch}`, await signer.sign(manifest, 'attune-manifest+jws'))
  }
}

/** A click of a second ago, unless changed. */
export function event(change: Partial<TrackedEvent> = {}): TrackedEvent {
  return { id: crypto.randomUUID(), kind: 'click', item: 'item-3', at: Date.now() - 1_000, ...change }
}

/** What `/metrics` says of a series, written as it is there; NaN: nothing. */
export async function sampleOf(api: Api, series: string): Promise<number> {
  const answer = await fetch(`${api.url}/metrics`, { headers: { authorization: `Bearer ${PUSH_KEY}` } })
  const line = (await answer.text()).split('\n').find((one) => one.startsWith(`${series} `))
  return Number(line?.split(' ')[1])
}
