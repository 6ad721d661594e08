import {
  HISTORY_KINDS,
  MAX_CANDIDATES,
  MAX_LIST_LENGTH,
  MAX_NAME_LENGTH,
  MAX_RECENT_EVENTS,
  STRATEGIES,
  type DeviceList,
  type DeviceWeights,
  type DeviceWeightsPart,
  type EngineName,
  type HistoryItem,
  type RankDiagnostics,
  type RankedItem,
  type RankRequest,
  type RankResponse,
} from '@attune/core'
import * as v from 'valibot'
import { event, eventKind } from './events.ts'
import { expression } from './expression.ts'
import {
  consent,
  delta,
  epoch,
  finite,
  flag,
  handle,
  itemId,
  list,
  many,
  oneOf,
  session,
  text,
  time,
  uuid,
  whole,
} from './fields.ts'
import { may, object, says } from './object.ts'

// Describes; routes/parse-rank.ts is what a request goes through, as it is on every page view's way. A property test
// holds the two together.

/** 1,000 candidates, 1,000 exclusions of 256 characters and 50 events, in UTF-8. */
export const MAX_RANK_BYTES = 600_000

const ids = list(itemId, MAX_CANDIDATES, `at most ${MAX_CANDIDATES} item ids`)

export const rankRequest: v.GenericSchema<RankRequest> = v.pipe(
  object<RankRequest>({
    slot: says(text(MAX_NAME_LENGTH), 'The place on the page'),
    visitor: may(handle),
    consent: may(consent),
    session: may(session),
    strategy: may(oneOf(STRATEGIES)),
    item: may(says(itemId, 'What `similar` starts from')),
    candidates: may(says(ids, 'Rank these; absent: the whole catalogue')),
    k: may(whole(1, MAX_LIST_LENGTH)),
    exclude: may(ids),
    filter: may(says(expression, 'What is said of attributes, e.g. `{"attr":"price","lt":50}`')),
    recent: may(
      says(list(event, MAX_RECENT_EVENTS), 'Newest events, sent or not; merged by id. Bad ones are left out'),
    ),
    device: may(says(flag, 'Also hand out what the page needs to put the list in order by itself')),
    history: may(says(oneOf(['full', 'recent']), '`recent`: nothing stored is read')),
  }),
  v.check(
    ({ strategy, item }) => strategy !== 'similar' || item !== undefined,
    'an item, as strategy is similar',
  ),
)

/** What the query of `GET /v1/rank` may say. */
export const listQuery: Readonly<Record<'slot' | 'strategy' | 'item' | 'k', v.GenericSchema>> = {
  slot: text(MAX_NAME_LENGTH),
  strategy: oneOf(STRATEGIES),
  item: itemId,
  k: whole(1, MAX_LIST_LENGTH),
}

const rankedItem: v.GenericSchema<RankedItem> = object<RankedItem>({
  id: itemId,
  propensity: may(says(finite, 'How likely it was to stand here, given what stands above it')),
  score: says(v.nullable(finite), 'null: the model does not know this candidate'),
  because: may(
    object<NonNullable<RankedItem['because']>>({
      item: itemId,
      kind: v.union([eventKind, v.literal('custom')]),
    }),
  ),
})

export const engine: v.GenericSchema<EngineName> = oneOf(['ort', 'core', 'none'])

const diagnostics: v.GenericSchema<RankDiagnostics> = object<RankDiagnostics>({
  historyMs: finite,
  rankMs: finite,
  ru: finite,
  engine,
  candidates: whole(0),
  events: whole(0),
})

const step: v.GenericSchema<HistoryItem> = object<HistoryItem>({
  item: itemId,
  kind: oneOf(HISTORY_KINDS),
  at: time,
})

const device: v.GenericSchema<DeviceList> = object<DeviceList>({
  weights: says(text(64, 64), 'SHA-256 of the weights: `GET /v1/weights/{sha256}`'),
  ids: says(many(itemId), 'First the candidates, then items of the history'),
  candidates: whole(0),
  popularity: says(many(finite), 'Of the rows: the first of the ids'),
  trend: many(finite),
  srScales: many(finite),
  srSums: many(finite),
  dim: whole(0),
  factors: says(v.string(), 'Base64 of F16 [rows, dim]'),
  neighbours: whole(0),
  srItems: says(v.string(), 'Base64 of U8 [rows, neighbours]'),
  srScores: says(v.string(), 'Base64 of U8 [rows, neighbours]'),
  steps: says(many(step), 'What the list was ranked from, oldest first'),
})

const weightsPart: v.GenericSchema<DeviceWeightsPart> = v.record(
  v.string(),
  v.union([finite, many(finite), v.string()]),
)

export const weightsResponse: v.GenericSchema<DeviceWeights> = object<DeviceWeights>({
  encoder: says(weightsPart, 'Numbers, and base64 of F16 for matrices'),
  ranker: weightsPart,
})

export const rankResponse: v.GenericSchema<RankResponse> = object<RankResponse>({
  decision: uuid,
  slot: v.string(),
  strategy: oneOf(STRATEGIES),
  epoch,
  delta,
  fresh: says(flag, 'The stored history was at least as new as the session token asked for'),
  session: may(v.string()),
  items: many(rankedItem),
  device: may(device),
  diagnostics: may(diagnostics),
})
