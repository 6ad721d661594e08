import { codeOf, CosmosError } from './errors.ts'
import { createSigner, createTokenSigner } from './sign.ts'

export interface CosmosRequest {
  readonly endpoint: string
  readonly verb: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  /** Resource type as signed: `docs`, `colls`, `dbs`, or empty for the account. */
  readonly type: string
  /** Resource link as signed, without slashes at its ends. */
  readonly link: string
  /** Path of the URL, without a leading slash. */
  readonly path: string
  readonly partitionKey?: string
  readonly session?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly timeoutMs: number
}

export interface CosmosResponse {
  readonly status: number
  /** RU, `x-ms-request-charge`. */
  readonly ru: number
  readonly session: string | undefined
  readonly continuation: string | undefined
  /** Parsed body; undefined when there is none. */
  readonly body: unknown
}

/** What authorizes requests: the account's key, or tokens of Entra ID. */
export type CosmosCredential = { readonly key: string } | { readonly token: () => Promise<string> }

export interface CosmosClientOptions {
  readonly credential: CosmosCredential
  readonly fetch: typeof fetch
  /** Milliseconds since 1970. */
  readonly now: () => number
}

export type CosmosFetch = (request: CosmosRequest) => Promise<CosmosResponse>

const API_VERSION = '2020-07-15'

/**
 * Cosmos's REST protocol over `fetch`: one request, one answer, no retries and no hidden round trips.
 *
 * @returns a function that throws {@link CosmosError} for every status from 400
 */
export function createCosmosFetch(options: CosmosClientOptions): CosmosFetch {
  const { now, credential } = options
  const sign = 'key' in credential ? createSigner(credential.key) : createTokenSigner(credential.token)
  // Called as a plain function: workerd refuses a `fetch` whose receiver is another object.
  const send = options.fetch
  return async (request) => {
    const { authorization, date } = await authorized(() =>
      sign(request.verb, request.type, request.link, now()),
    )
    const headers: Record<string, string> = {
      authorization,
      'x-ms-date': date,
      'x-ms-version': API_VERSION,
      accept: 'application/json',
      ...(request.partitionKey !== undefined && {
        'x-ms-documentdb-partitionkey': asciiJson([request.partitionKey]),
      }),
      ...(request.session !== undefined && { 'x-ms-session-token': request.session }),
      ...request.headers,
    }
    let response: Response
    let text: string
    try {
      response = await send(`${request.endpoint}/${request.path}`, {
        method: request.verb,
        headers,
        ...(request.body !== undefined && { body: request.body }),
        signal: AbortSignal.timeout(request.timeoutMs),
      })
      text = await response.text()
    } catch (cause) {
      throw new CosmosError(
        'COSMOS_UNAVAILABLE',
        `${request.verb} ${request.type}: no answer within ${request.timeoutMs} ms`,
        { cause },
      )
    }
    const ru = Number(response.headers.get('x-ms-request-charge') ?? 0)
    const session = response.headers.get('x-ms-session-token') ?? undefined
    if (response.status >= 400) {
      const substatus = Number(response.headers.get('x-ms-substatus') ?? 0)
      const wait = Number(response.headers.get('x-ms-retry-after-ms') ?? NaN)
      throw new CosmosError(
        codeOf(response.status, substatus),
        `${request.verb} ${request.type}: Cosmos answered ${response.status}/${substatus}`,
        {
          status: response.status,
          substatus,
          ru,
          session,
          retryAfterMs: Number.isFinite(wait) ? wait : undefined,
        },
      )
    }
    return {
      status: response.status,
      ru,
      session,
      continuation: response.headers.get('x-ms-continuation') ?? undefined,
      body: text === '' ? undefined : parseBody(text),
    }
  }
}

/** No token, no request: for who asks it is as if Cosmos were away. */
async function authorized<T>(sign: () => Promise<T>): Promise<T> {
  try {
    return await sign()
  } catch (cause) {
    throw new CosmosError('COSMOS_UNAVAILABLE', 'no token of Entra ID could be had for Cosmos', { cause })
  }
}

function parseBody(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new CosmosError(
      'COSMOS_UNAVAILABLE',
      `Cosmos answered ${text.length} characters that are not JSON`,
      { cause },
    )
  }
}

/** JSON in ASCII only, as a header value must be. */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
