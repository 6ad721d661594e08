import { createHmac, timingSafeEqual } from 'node:crypto'
import type { SigningKey } from '../artifact/sign.ts'
import type { KeyRange } from '../change-feed/places.ts'
import type { FeedStart } from '../change-feed/read.ts'
import type { FeedName, FeedPage } from '../refresh/micro-batch.ts'

// What instances say to the one that leads. Requests are signed with a key that all of them derive from the signing key;
// one that is sent again is refused like any page that does not follow.

export const PAGES_PATH = '/feed/pages'
export const PLACE_PATH = '/feed/place'
export const SIGNATURE_HEADER = 'x-attune-signature'
/** A page is at most 4 MB of documents; what is taken in of them is less. */
export const MAX_REQUEST_BYTES = 16_000_000

/** A page somebody read, and where its reader stood before. */
export interface PageRequest {
  readonly page: FeedPage
  readonly previous: string | null
}

export interface PlaceRequest {
  readonly feed: FeedName
  readonly range: KeyRange
}

/** Where to go on; `start` only matters without a continuation: `beginning`, `now` or milliseconds since 1970. */
export interface PlaceAnswer {
  readonly continuation?: string
  readonly start: 'beginning' | 'now' | number
}

export function clusterKey({ d }: SigningKey): Buffer {
  return createHmac('sha256', Buffer.from(d, 'base64url')).update('attune bridge cluster 1').digest()
}

export function signRequest(key: Buffer, path: string, body: string): string {
  return createHmac('sha256', key).update(`${path}\n`).update(body).digest('base64url')
}

export function isSigned(key: Buffer, path: string, body: string, signature: string | undefined): boolean {
  const expected = Buffer.from(signRequest(key, path, body))
  const received = Buffer.from(signature ?? '')
  return received.length === expected.length && timingSafeEqual(received, expected)
}

export function toPlaceAnswer(place: {
  readonly continuation?: string
  readonly start: FeedStart
}): PlaceAnswer {
  const { continuation, start } = place
  return {
    ...(continuation !== undefined && { continuation }),
    start: start instanceof Date ? start.getTime() : start,
  }
}

export function fromPlaceAnswer({ continuation, start }: PlaceAnswer): {
  readonly continuation?: string
  readonly start: FeedStart
} {
  return {
    ...(continuation !== undefined && { continuation }),
    start: typeof start === 'number' ? new Date(start) : start,
  }
}
