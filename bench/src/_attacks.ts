import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import { joinDelta, sha256Hex, writeSafetensors, deltaTensors } from '@attune/core/artifact'
import { createSigner, type SigningKey } from '@attune/trainer-bridge'

// What strangers try, and how the edge has to answer each.

export interface Attack {
  readonly name: string
  /** Status and code that refuse it; `or` between several. */
  readonly expected: string
  /** @returns what came back, as `expected` is written */
  readonly run: () => Promise<string>
}

/** What strangers know, or have got hold of, of a site. */
export interface Site {
  readonly siteKey: string
  readonly pushKey: string
  readonly signingKey: SigningKey
}

const SLOW_MS = 25_000
const LARGE_BYTES = 10_000_000
/** On a machine so busy that 10 MB take longer than 15 s, the time is what refuses them. */
const LARGE = '413 BODY_TOO_LARGE or 408 BODY_TIMEOUT'

/** @param handle - a good visitor handle of the site; @param foreign - one of another site */
export function attacksOn(url: string, site: Site, handle: string, foreign: string): readonly Attack[] {
  const { siteKey, pushKey, signingKey } = site
  const send = async (method: string, path: string, body?: BodyInit, key?: string): Promise<string> => {
    const response = await fetch(`${url}${path}`, {
      method,
      ...(body !== undefined && { body }),
      headers: {
        'content-type': 'text/plain',
        'x-forwarded-for': address(),
        ...(key !== undefined && { authorization: `Bearer ${key}` }),
      },
      signal: AbortSignal.timeout(60_000),
    })
    return outcome(response.status, await response.text())
  }
  const page = (path: string, body: unknown, key = siteKey): Promise<string> =>
    send('POST', `${path}?key=${key}`, typeof body === 'string' ? body : JSON.stringify(body))
  const events = (visitor: string) => ({
    batch: randomUUID(),
    visitor,
    events: [{ id: randomUUID(), kind: 'click', item: 'item-1', at: Date.now() }],
  })
  const delta = async (number: number): Promise<Uint8Array<ArrayBuffer>> => {
    const one = { rows: Uint32Array.of(1), popularity: Float32Array.of(1), trend: Float32Array.of(1) }
    const tensors = writeSafetensors(deltaTensors({ popularity: one }, 64, 20))
    const header = {
      format: 1,
      epoch: 1,
      delta: number,
      through: null,
      created: new Date().toISOString(),
      sha256: await sha256Hex(tensors),
      bytes: tensors.length,
      items: [],
    }
    const signer = await createSigner(signingKey)
    const bytes = new TextEncoder().encode(JSON.stringify(header))
    return joinDelta(await signer.sign(bytes, 'attune-delta+jws'), tensors)
  }
  const putDelta = async (number: number, body?: Uint8Array<ArrayBuffer>): Promise<string> =>
    send('PUT', `/v1/models/1/deltas/${number}`, body ?? (await delta(number)), pushKey)
  const refused = (name: string, expected: string, run: () => Promise<string>): Attack => ({
    name,
    expected,
    run,
  })
  const forged = `${randomBytes(16).toString('base64url')}.${randomBytes(16).toString('base64url')}`
  return [
    refused('a forged handle at events', '403 VISITOR_FORGED', () => page('/v1/events', events(forged))),
    refused('a forged handle at rank', '403 VISITOR_FORGED', () =>
      page('/v1/rank', { slot: 's', visitor: forged }),
    ),
    refused('a handle of another site', '403 VISITOR_FORGED', () => page('/v1/events', events(foreign))),
    refused('deleting another visitor', '403 VISITOR_FORGED', () =>
      page('/v1/visitors/delete', { visitor: forged }),
    ),
    refused('a key of another edge', '401 KEY_UNKNOWN', () =>
      page('/v1/rank', { slot: 's' }, 'pk_of_somebody'),
    ),
    refused('no key', '401 KEY_MISSING', () => send('POST', '/v1/rank', '{"slot":"s"}')),
    refused('a page key at models', '403 KEY_FORBIDDEN', () => send('PUT', '/v1/models/2', 'x', siteKey)),
    refused('a push key at the catalogue', '403 KEY_FORBIDDEN', () =>
      send('PUT', '/v1/items', '{"items":[]}', pushKey),
    ),
    refused('an unsigned epoch', '401 ARTIFACT_SIGNATURE_INVALID', () =>
      send('PUT', '/v1/models/2', '{}', pushKey),
    ),
    refused('a delta with its bytes changed', '422 ARTIFACT_DIGEST_MISMATCH', async () => {
      const body = await delta(1)
      body[body.length - 1] = (body.at(-1) ?? 0) ^ 1
      return putDelta(1, body)
    }),
    refused('a delta out of order', '409 DELTA_GAP', () => putDelta(3)),
    refused('a delta under another number', '409 DELTA_GAP', async () => putDelta(1, await delta(2))),
    refused('a path out of the folder', '404 ROUTE_UNKNOWN', () =>
      send('PUT', '/v1/models/files/%2e%2e%2f%2e%2e%2fetc%2fpasswd%2fx/y', 'x', pushKey),
    ),
    refused('a digest that is a path', '400 PATH_MALFORMED', () =>
      send('PUT', `/v1/models/files/${encodeURIComponent('../../active.json')}`, 'x', pushKey),
    ),
    refused('an epoch that is a path', '400 PATH_MALFORMED', () =>
      send('PUT', `/v1/models/${encodeURIComponent('../1')}`, 'x', pushKey),
    ),
    refused('__proto__ instead of properties', '400 EVENTS_MALFORMED', () =>
      page('/v1/events', `{"__proto__":${JSON.stringify(events(handle))}}`),
    ),
    refused('__proto__ as a list', '400 RANK_MALFORMED', () =>
      page('/v1/rank', '{"slot":"s","candidates":{"__proto__":["item-1"],"length":1}}'),
    ),
    refused('nesting 100,000 deep', '413 BODY_TOO_LARGE', () =>
      page('/v1/events', `${'['.repeat(100_000)}${']'.repeat(100_000)}`),
    ),
    refused('10 MB of events', LARGE, () => page('/v1/events', ' '.repeat(LARGE_BYTES))),
    refused('10 MB of rank', LARGE, () => page('/v1/rank', ' '.repeat(LARGE_BYTES))),
    refused('a body of one byte a second', '408 BODY_TIMEOUT', () => slowBody(url, siteKey)),
  ]
}

/** An address per request, so that none is refused for its neighbours' sake. */
function address(): string {
  return `10.${[...randomBytes(3)].join('.')}`
}

function outcome(status: number, text: string): string {
  try {
    return `${status} ${(JSON.parse(text) as { code?: string }).code ?? ''}`.trim()
  } catch {
    return String(status)
  }
}

/** Announces 1,000 bytes and sends one a second. */
async function slowBody(url: string, siteKey: string): Promise<string> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  await once(socket, 'connect')
  const head = `POST /v1/rank?key=${siteKey} HTTP/1.1\r\nhost: x\r\nx-forwarded-for: ${address()}\r\ncontent-length: 1000\r\n\r\n{`
  socket.write(head)
  const drip = setInterval(() => socket.write(' '), 1_000)
  let answer = ''
  socket.on('data', (chunk: Buffer) => (answer += chunk.toString('utf8')))
  socket.on('error', () => undefined)
  const end = performance.now() + SLOW_MS
  while (performance.now() < end && !answer.includes('"requestId"'))
    await new Promise((resolve) => setTimeout(resolve, 50))
  clearInterval(drip)
  socket.destroy()
  return outcome(Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0), /\{.*\}/s.exec(answer)?.[0] ?? '')
}
