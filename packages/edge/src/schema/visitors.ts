import type { Consent, Decision, TrackedEvent, VisitorResponse } from '@attune/core'
import * as v from 'valibot'
import { event } from './events.ts'
import {
  consent,
  delta,
  epoch,
  finite,
  flag,
  handle,
  isoTime,
  many,
  text,
  time,
  uuid,
  whole,
} from './fields.ts'
import { may, object, says } from './object.ts'

export const MAX_VISITOR_BYTES = 2_000

export interface VisitorRequest {
  readonly visitor: string
}

export interface IdentifyRequest {
  readonly user: string
  readonly expires: number
  readonly proof: string
  readonly visitor?: string
  readonly consent?: Consent
}

export interface ExportedBatch {
  readonly batch: string
  readonly at: number
  readonly received: number
  readonly events: readonly TrackedEvent[]
}

export interface ExportedUser {
  readonly at: number
  readonly linked: readonly { readonly visitor: string; readonly at: number }[]
}

export interface ExportResponse {
  readonly visitor: string
  readonly covers: readonly string[]
  readonly user?: ExportedUser
  readonly events: number
  readonly decisions: readonly Decision[]
  readonly batches: readonly ExportedBatch[]
}

export interface DeleteResponse {
  readonly visitor: string
  readonly covers: readonly string[]
  readonly deleted: number
  readonly decisions: number
  readonly links: number
  readonly remaining: number
  readonly session?: string
  readonly at: string
}

const PROOF = '64 lower-case hex digits'

export const newVisitorRequest: v.GenericSchema<Record<never, never>> = v.object({})

export const visitorRequest: v.GenericSchema<VisitorRequest> = object<VisitorRequest>({
  visitor: says(v.string('a visitor handle'), 'A visitor handle; the proof that the caller is the visitor'),
})

export const visitorResponse: v.GenericSchema<VisitorResponse> = object<VisitorResponse>({ visitor: handle })

export const identifyRequest: v.GenericSchema<IdentifyRequest> = object<IdentifyRequest>({
  user: says(text(256), 'The id of the user, as the site knows it; only a digest of it is stored'),
  expires: says(whole(1), 'Seconds since 1970, at most 24 hours ahead: until when the proof is good'),
  proof: says(
    v.pipe(v.string(PROOF), v.regex(/^[0-9a-f]{64}$/, PROOF)),
    'HMAC-SHA-256 of `<site>\\n<user>\\n<expires>` by the secret that the site’s server holds, in hex',
  ),
  visitor: may(says(handle, 'The handle this device had: export and deletion cover it from now on')),
  consent: may(consent),
})

const decision: v.GenericSchema<Decision> = object<Decision>({
  id: uuid,
  slot: v.string(),
  strategy: v.string(),
  epoch,
  delta,
  fresh: flag,
  at: time,
  items: many(v.string()),
  scores: many(v.nullable(finite)),
  propensities: may(many(v.nullable(finite))),
})

const covers = says(
  many(v.string()),
  'Ids of the visitors covered: the one asked for, and all linked with it',
)

export const exportResponse: v.GenericSchema<ExportResponse> = object<ExportResponse>({
  visitor: handle,
  covers,
  user: may(
    says(
      object<ExportedUser>({
        at: says(time, 'When the user was last identified, give or take a day'),
        linked: many(object<ExportedUser['linked'][number]>({ visitor: v.string(), at: time })),
      }),
      'Of a user’s handle: which handles were linked with it, and when. The user’s id itself is stored as a digest only',
    ),
  ),
  events: whole(0),
  decisions: many(decision),
  batches: many(object<ExportedBatch>({ batch: uuid, at: time, received: finite, events: many(event) })),
})

export const deleteResponse: v.GenericSchema<DeleteResponse> = object<DeleteResponse>({
  visitor: handle,
  covers,
  deleted: whole(0),
  decisions: whole(0),
  links: says(whole(0), 'Documents that said which handles are one user’s'),
  remaining: says(whole(0), 'What a second look found: nothing'),
  session: may(says(v.string(), 'Session token of that second look')),
  at: isoTime,
})
