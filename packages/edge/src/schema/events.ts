import {
  EVENT_KINDS,
  MAX_EVENTS_PER_BATCH,
  MAX_ITEM_ID_LENGTH,
  MAX_LAST,
  MAX_NAME_LENGTH,
  MAX_QUERY_LENGTH,
  MAX_SEQ,
  needsItem,
  type EventKind,
  type EventsRequest,
  type EventsResponse,
  type TrackedEvent,
} from '@attune/core'
import * as v from 'valibot'
import { consent, finite, flag, handle, list, many, session, text, time, uuid, whole } from './fields.ts'
import { may, object, says } from './object.ts'
import { issue } from './problem.ts'

// Describes; core's parser is what events go through. A property test holds the two together.

const KIND = `${EVENT_KINDS.join(', ')} or custom:<name>`
export const eventKind: v.GenericSchema<EventKind> = v.pipe(
  v.string(KIND),
  v.regex(new RegExp(`^(?:${EVENT_KINDS.join('|')}|custom:[a-z0-9-]{1,40})$`), KIND),
) as unknown as v.GenericSchema<EventKind>

export const event: v.GenericSchema<TrackedEvent> = v.pipe(
  object<TrackedEvent>({
    id: says(uuid, 'Made by the client, so that a retry writes nothing new'),
    kind: eventKind,
    item: may(says(text(MAX_ITEM_ID_LENGTH), 'Required except for `search` and `custom:`')),
    at: says(time, 'Milliseconds since 1970 by the visitor’s clock; at most 90 days old and 24 h ahead'),
    slot: may(text(MAX_NAME_LENGTH)),
    position: may(whole(0, 100_000)),
    decision: may(text(MAX_NAME_LENGTH)),
    value: may(finite),
    query: may(says(text(MAX_QUERY_LENGTH), 'Required for `search`')),
    tab: may(says(text(MAX_NAME_LENGTH), 'Name of the tab that made it')),
    seq: may(says(whole(1, MAX_SEQ), 'Its number in that tab, from 1')),
  }),
  v.check(({ kind, item }) => item !== undefined || !needsItem(kind), 'an item'),
  v.check(({ kind, query }) => query !== undefined || kind !== 'search', 'a query'),
)

type Last = NonNullable<EventsRequest['last']>[number]
export const lastNumber: v.GenericSchema<Last> = object<Last>({
  tab: text(MAX_NAME_LENGTH),
  seq: whole(1, MAX_SEQ),
})

export const eventsRequest: v.GenericSchema<EventsRequest> = object<EventsRequest>({
  batch: says(uuid, 'Fixed when the batch is first sent'),
  visitor: handle,
  consent: may(consent),
  session: may(session),
  after: may(
    says(
      v.record(text(MAX_NAME_LENGTH), whole(0, MAX_SEQ)),
      'For each tab with numbers here, the highest number in earlier batches; 0 for none',
    ),
  ),
  last: may(
    says(
      list(lastNumber, MAX_LAST),
      'Tabs that ended before they brought the last number they gave, and that number; `after` names them too',
    ),
  ),
  events: says(list(event, MAX_EVENTS_PER_BATCH), 'At least one that is good, unless there is `last`'),
})

export const eventsResponse: v.GenericSchema<EventsResponse> = object<EventsResponse>({
  batch: uuid,
  accepted: whole(0),
  rejected: many(issue),
  duplicate: says(flag, 'The batch had been stored before; nothing was written now'),
  session: says(v.string(), 'Session token of the write; send it with the next request'),
  diagnostics: may(object<NonNullable<EventsResponse['diagnostics']>>({ cosmosMs: finite, ru: finite })),
})
