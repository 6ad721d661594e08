import { METADATA_CHARGE } from '../engine/charges.ts'
import { badRequest, notFound } from '../errors.ts'
import { isObject, parseJson, type JsonObject } from '../json.ts'
import { CHARGE, type Exchange, type Reply } from '../protocol/exchange.ts'
import type { Offer } from '../store/catalog.ts'
import { offerRid } from '../store/rid.ts'
import { newEtag } from './etag.ts'

export const MIN_THROUGHPUT = 400
export const MIN_AUTOSCALE = 1000
const MAX_THROUGHPUT = 1_000_000
/** Share of its maximum that an autoscale resource never goes below. */
const AUTOSCALE_FLOOR = 0.1

function manual(throughput: number): JsonObject {
  if (
    !Number.isInteger(throughput) ||
    throughput < MIN_THROUGHPUT ||
    throughput > MAX_THROUGHPUT ||
    throughput % 100 !== 0
  ) {
    throw badRequest(
      `The offer should have valid throughput values between ${MIN_THROUGHPUT} and ${MAX_THROUGHPUT} inclusive in increments of 100.`,
    )
  }
  return {
    offerThroughput: throughput,
    offerIsRUPerMinuteThroughputEnabled: false,
    offerMinimumThroughputParameters: {
      maxThroughputEverProvisioned: throughput,
      maxConsumedStorageEverInKB: 0,
    },
  }
}

function autoscale(settings: JsonObject): JsonObject {
  const most = settings['maxThroughput']
  if (
    typeof most !== 'number' ||
    !Number.isInteger(most) ||
    most < MIN_AUTOSCALE ||
    most > MAX_THROUGHPUT ||
    most % 1000 !== 0
  ) {
    throw badRequest(
      `The autoscale maximum throughput must be between ${MIN_AUTOSCALE} and ${MAX_THROUGHPUT} inclusive in increments of 1000.`,
    )
  }
  return {
    offerThroughput: most * AUTOSCALE_FLOOR,
    offerIsRUPerMinuteThroughputEnabled: false,
    offerAutopilotSettings: {
      ...settings,
      tier: 0,
      maximumTierThroughput: most,
      autoUpgrade: false,
      maxThroughput: most,
    },
  }
}

/** The throughput asked for when a database or container is made; undefined when none is. */
export function offerFromHeaders(exchange: Exchange): JsonObject | undefined {
  const throughput = exchange.header('x-ms-offer-throughput')
  const settings = exchange.header('x-ms-cosmos-offer-autopilot-settings')
  if (throughput !== undefined && settings !== undefined) {
    throw badRequest(
      'Both x-ms-offer-throughput and x-ms-cosmos-offer-autopilot-settings are given: choose one.',
    )
  }
  if (throughput !== undefined) return manual(Number(throughput))
  if (settings === undefined) return undefined
  const parsed = parseJson(settings)
  return autoscale(isObject(parsed) ? parsed : {})
}

export function keepOffer(exchange: Exchange, resource: string, content: JsonObject): Offer {
  const { account } = exchange
  return account.catalog.setOffer(resource, content, newEtag(account.nowMs()), account.nowS())
}

/** RU per second that a resource may spend: the maximum where it scales by itself. */
export function throughputOf(offer: Offer | undefined): number | undefined {
  const scaling = offer?.content['offerAutopilotSettings']
  if (isObject(scaling)) return Number(scaling['maxThroughput'])
  const fixed = offer?.content['offerThroughput']
  return typeof fixed === 'number' ? fixed : undefined
}

export function offerBody(exchange: Exchange, offer: Offer): JsonObject {
  const { catalog } = exchange.account
  const container = catalog.containersByRid.get(offer.resource)
  const resource =
    container === undefined
      ? `dbs/${offer.resource}/`
      : `dbs/${container.database.rid}/colls/${container.rid}/`
  const rid = offerRid(offer.num)
  return {
    resource,
    offerType: 'Invalid',
    offerResourceId: offer.resource,
    offerVersion: 'V2',
    content: offer.content,
    id: rid,
    _rid: rid,
    _self: `offers/${rid}/`,
    _etag: offer.etag,
    _ts: offer.ts,
  }
}

export function offerList(exchange: Exchange): JsonObject[] {
  return [...exchange.account.catalog.offers.values()].map((offer) => offerBody(exchange, offer))
}

function findOffer(exchange: Exchange): Offer {
  const rid = exchange.segments[1] ?? ''
  for (const offer of exchange.account.catalog.offers.values()) {
    if (offerRid(offer.num).toLowerCase() === rid.toLowerCase()) return offer
  }
  throw notFound()
}

export function readOffer(exchange: Exchange): Reply {
  const offer = findOffer(exchange)
  return {
    status: 200,
    headers: {
      etag: offer.etag,
      [CHARGE]: METADATA_CHARGE,
      'x-ms-offer-replace-pending': 'False',
      'x-ms-cosmos-min-throughput': MIN_THROUGHPUT,
    },
    body: JSON.stringify(offerBody(exchange, offer)),
  }
}

export function replaceOffer(exchange: Exchange): Reply {
  const { account } = exchange
  const offer = findOffer(exchange)
  const body = parseJson(exchange.body.toString('utf8'))
  const content = isObject(body) ? body['content'] : undefined
  if (!isObject(content)) throw badRequest('The offer has no content.')
  const scaling = content['offerAutopilotSettings']
  const changed = isObject(scaling) ? autoscale(scaling) : manual(Number(content['offerThroughput']))
  const replaced = account.catalog.setOffer(offer.resource, changed, newEtag(account.nowMs()), account.nowS())
  return {
    status: 200,
    headers: { etag: replaced.etag, [CHARGE]: METADATA_CHARGE, 'x-ms-offer-replace-pending': 'False' },
    body: JSON.stringify(offerBody(exchange, replaced)),
  }
}
