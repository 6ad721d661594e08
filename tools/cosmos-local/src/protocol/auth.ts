import { createHmac, timingSafeEqual } from 'node:crypto'
import { ProtocolError } from '../errors.ts'

const MAX_SKEW_MS = 15 * 60_000

const unauthorized = (): ProtocolError =>
  new ProtocolError(
    401,
    "The input authorization token can't serve the request. The wrong key is being used or the expected payload is not built as per the protocol. For more info: https://aka.ms/cosmosdb-tsg-unauthorized",
  )

/**
 * Checks `type=master&ver=1.0&sig=…`: an HMAC-SHA256 over verb, resource type, resource link and date. Clients
 * write the link decoded, as sent, or as the rid in lower case; any of them counts.
 */
export function authorize(
  key: Buffer,
  request: {
    method: string
    path: string
    segments: readonly string[]
    authorization: string | undefined
    date: string | undefined
  },
  nowMs: number,
): void {
  const { authorization, date, method, segments } = request
  if (authorization === undefined || authorization === '') {
    throw new ProtocolError(
      401,
      'Required Header authorization is missing. Ensure a valid Authorization token is passed.',
    )
  }
  const match = /^type=master&ver=1\.0&sig=(.+)$/.exec(decode(authorization))
  if (match === null) {
    throw new ProtocolError(
      401,
      'The authorization header is not of the form type=master&ver=1.0&sig={signature}.',
    )
  }
  if (date === undefined)
    throw new ProtocolError(401, 'The request has neither an x-ms-date nor a date header.')
  const given = Buffer.from(match[1] ?? '', 'base64')
  const even = segments.length % 2 === 0
  const type = (even ? segments.at(-2) : segments.at(-1)) ?? ''
  const linked = even ? segments : segments.slice(0, -1)
  const head = `${method.toLowerCase()}\n${type.toLowerCase()}\n`
  const tail = `\n${date.toLowerCase()}\n\n`
  const signs = (link: string): boolean => {
    const expected = signatureOf(key, head + link + tail)
    return given.length === expected.length && timingSafeEqual(given, expected)
  }
  if (!signs(linked.join('/'))) {
    const raw = request.path.replace(/^\/+|\/+$/g, '')
    const rawLink = even ? raw : raw.slice(0, Math.max(0, raw.lastIndexOf('/')))
    const last = linked.at(-1) ?? ''
    if (!signs(rawLink) && !signs(last.toLowerCase()) && !signs(last)) throw unauthorized()
  }
  if (Math.abs(timeOf(date) - nowMs) > MAX_SKEW_MS) {
    throw new ProtocolError(
      403,
      'The authorization token is not valid at the current time. Please create another token and retry.',
    )
  }
}

let lastDate = ''
let lastTime = 0

/** Milliseconds of a date header; the same second comes many times over. */
function timeOf(date: string): number {
  if (date !== lastDate) {
    lastTime = Date.parse(date)
    lastDate = date
  }
  return lastTime
}

const SIGNATURES_KEPT = 2_000
const signatures = new WeakMap<Buffer, Map<string, Buffer>>()

/** The signature due for a text. Dates have seconds: writes to one container share theirs within a second. */
function signatureOf(key: Buffer, text: string): Buffer {
  let known = signatures.get(key)
  if (known === undefined) signatures.set(key, (known = new Map()))
  let signature = known.get(text)
  if (signature === undefined) {
    signature = createHmac('sha256', key).update(text).digest()
    if (known.size >= SIGNATURES_KEPT) known.clear()
    known.set(text, signature)
  }
  return signature
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The authorization header that a client of ours would send. */
export function sign(key: string, method: string, type: string, link: string, date: string): string {
  const text = `${method.toLowerCase()}\n${type.toLowerCase()}\n${link}\n${date.toLowerCase()}\n\n`
  const signature = createHmac('sha256', Buffer.from(key, 'base64')).update(text).digest('base64')
  return encodeURIComponent(`type=master&ver=1.0&sig=${signature}`)
}
