import { CodedError, type ModelsResponse, type Problem } from '@attune/core'
import { BridgeError } from '../error.ts'

/** An edge to be kept up to date. */
export interface EdgeTarget {
  /** Base URL, without `/v1`. */
  readonly url: string
  readonly pushKey: string
}

/** What an edge says it serves. */
export interface Acknowledged {
  readonly epoch: number
  readonly delta: number
  readonly through: string | null
  /** When the epoch was made; only told when it is asked what it serves. */
  readonly created?: string
}

/** An edge answered with problem+json; `code` is the problem's. */
export class EdgeProblem extends CodedError {
  override readonly name = 'EdgeProblem'
  readonly status: number
  /** Seconds, where the edge said so. */
  readonly retryAfter: number | undefined

  constructor(status: number, problem: Partial<Problem>, url: string, retryAfter: number | undefined) {
    const { code = `HTTP_${status}`, detail = problem.title ?? 'no detail' } = problem
    super(code, `${url} answered ${status}: ${detail}`)
    this.status = status
    this.retryAfter = retryAfter
  }
}

const SMALL_TIMEOUT_MS = 15_000
/** A file or an epoch: the edge digests, loads and runs the golden vectors before it answers. */
const LARGE_TIMEOUT_MS = 120_000

/** The model routes of one edge; see docs/wire-protocol.md. */
export class EdgeClient {
  readonly url: string
  readonly #pushKey: string
  readonly #fetch: typeof fetch

  constructor(target: EdgeTarget, fetcher: typeof fetch) {
    this.url = target.url.replace(/\/+$/, '')
    this.#pushKey = target.pushKey
    this.#fetch = fetcher
  }

  /** @throws {EdgeProblem | BridgeError} `EDGE_UNREACHABLE` */
  async models(signal: AbortSignal): Promise<ModelsResponse> {
    return (await this.#send(
      'GET',
      '/v1/models',
      undefined,
      undefined,
      SMALL_TIMEOUT_MS,
      signal,
    )) as ModelsResponse
  }

  async putFile(sha256: string, bytes: Uint8Array, signal: AbortSignal): Promise<void> {
    const path = `/v1/models/files/${sha256}`
    await this.#send('PUT', path, bytes, 'application/octet-stream', LARGE_TIMEOUT_MS, signal)
  }

  async putEpoch(epoch: number, jws: string, signal: AbortSignal): Promise<Acknowledged> {
    const body = new TextEncoder().encode(jws)
    return this.#acknowledged(
      await this.#send('PUT', `/v1/models/${epoch}`, body, 'application/jose', LARGE_TIMEOUT_MS, signal),
    )
  }

  /**
   * Has the edge serve an epoch it took in before: this one, or the one before what it serves. Wants an admin key.
   *
   * @throws {EdgeProblem} `EPOCH_UNKNOWN`
   */
  async activate(epoch: number | undefined, signal: AbortSignal): Promise<Acknowledged> {
    const path = epoch === undefined ? '/v1/models/rollback' : `/v1/models/${epoch}/activate`
    return this.#acknowledged(await this.#send('POST', path, undefined, undefined, LARGE_TIMEOUT_MS, signal))
  }

  async putDelta(epoch: number, delta: number, body: Uint8Array, signal: AbortSignal): Promise<Acknowledged> {
    const path = `/v1/models/${epoch}/deltas/${delta}`
    return this.#acknowledged(
      await this.#send('PUT', path, body, 'application/octet-stream', SMALL_TIMEOUT_MS, signal),
    )
  }

  #acknowledged(answer: unknown): Acknowledged {
    const { epoch, delta, through } = (answer ?? {}) as Record<string, unknown>
    if (typeof epoch !== 'number' || typeof delta !== 'number') {
      throw new BridgeError(
        'EDGE_UNREACHABLE',
        `${this.url}: expected { epoch, delta, through }, received another answer`,
      )
    }
    return { epoch, delta, through: typeof through === 'string' ? through : null }
  }

  async #send(
    method: string,
    path: string,
    body: Uint8Array | undefined,
    type: string | undefined,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<unknown> {
    let response: Response
    let text: string
    try {
      response = await this.#fetch(this.url + path, {
        method,
        headers: {
          authorization: `Bearer ${this.#pushKey}`,
          ...(type !== undefined && { 'content-type': type }),
        },
        // `fetch` takes views, its types only those of plain array buffers.
        ...(body !== undefined && { body: body as Uint8Array<ArrayBuffer> }),
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      })
      text = await response.text()
    } catch (cause) {
      throw new BridgeError('EDGE_UNREACHABLE', `${method} ${this.url}${path}: no answer`, { cause })
    }
    const answer = parse(text)
    if (response.ok) return answer
    const seconds = Number(response.headers.get('retry-after') ?? NaN)
    throw new EdgeProblem(
      response.status,
      (answer ?? {}) as Partial<Problem>,
      this.url,
      Number.isFinite(seconds) ? seconds : undefined,
    )
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
