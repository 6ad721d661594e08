import type { TrackedEvent, VisitorResponse } from '@attune/core'
import * as v from 'valibot'
import { event } from './events.ts'
import { finite, handle, isoTime, many, time, uuid, whole } from './fields.ts'
import { may, object, says } from './object.ts'

export const MAX_VISITOR_BYTES = 1_000

export interface VisitorRequest {
  readonly visitor: string
}

export interface ExportedBatch {
  readonly batch: string
  readonly at: number
  readonly received: number
  readonly events: readonly TrackedEvent[]
}

export interface ExportResponse {
  readonly visitor: string
  readonly events: number
  readonly batches: readonly ExportedBatch[]
}

export interface DeleteResponse {
  readonly visitor: string
  readonly deleted: number
  readonly remaining: number
  readonly session?: string
  readonly at: string
}

export const newVisitorRequest: v.GenericSchema<Record<never, never>> = v.object({})

export const visitorRequest: v.GenericSchema<VisitorRequest> = object<VisitorRequest>({
  visitor: says(v.string('a visitor handle'), 'A visitor handle; the proof that the caller is the visitor'),
})

export const visitorResponse: v.GenericSchema<VisitorResponse> = object<VisitorResponse>({ visitor: handle })

export const exportResponse: v.GenericSchema<ExportResponse> = object<ExportResponse>({
  visitor: handle,
  events: whole(0),
  batches: many(object<ExportedBatch>({ batch: uuid, at: time, received: finite, events: many(event) })),
})

export const deleteResponse: v.GenericSchema<DeleteResponse> = object<DeleteResponse>({
  visitor: handle,
  deleted: whole(0),
  remaining: says(whole(0), 'What a second look found: nothing'),
  session: may(says(v.string(), 'Session token of that second look')),
  at: isoTime,
})
