import type { DeviceList, DeviceWeights, RankedItem, RankResponse } from '@attune/core'
import { keepRow, scoreOnDevice, unpackWeights, type StandardWeights } from '@attune/core/rank'
import { arrange } from './arrange.ts'
import type { Device } from './client.ts'
import { createProfile, type Keep } from './profile.ts'

export type { Keep } from './profile.ts'

export interface OnDeviceOptions {
  /**
   * Where clicks are kept of a visitor who does not want them to be sent: `sessionStorage` (default, gone with the tab),
   * `localStorage`, or `memory` (gone with the page). Of others nothing is kept here.
   */
  readonly keep?: Keep
}

/** A list on the page with what it takes to put it in order. */
interface Held {
  readonly slot: string
  readonly _epoch: number
  _list: DeviceList
  items: RankResponse['items']
  _weights?: StandardWeights
}

const ITEM = 'data-attune-item'
/** Half precision moves scores by less: such neighbours are not turned round under the visitor's eyes. */
const TIE = 0.02
const UNKNOWN = -1e9

/**
 * Ranking on the device: what the visitor does puts live lists in order at once, with core's own encoder and ranker,
 * before any network answers. The edge's answer follows and has the last word. Without the visitor's consent it goes on
 * from what this device alone knows.
 */
export function onDevice({ keep = 'sessionStorage' }: OnDeviceOptions = {}): Device {
  return ({ rank, tracker, endpoint, site, allowed, refused, report, emit, fetch: ask = fetch }) => {
    if (typeof document === 'undefined') return rank
    const profile = createProfile(`attune-${site}-profile`, keep, refused)
    const lists = new Map<unknown, Held>()
    const downloads = new Map<string, Promise<StandardWeights>>()

    const download = async (digest: string): Promise<StandardWeights> => {
      const answer = await ask(`${endpoint}/v1/weights/${digest}?key=${encodeURIComponent(site)}`, {
        credentials: 'omit',
      })
      const weights = unpackWeights((await answer.json()) as DeviceWeights)
      if (weights) return weights
      throw new Error(`HTTP ${answer.status}`)
    }

    /** Puts the items in the device's order; those it does not know stay behind. */
    const order = (held: Held): void => {
      if (!held._weights) return
      const scores = scoreOnDevice(
        held._list,
        profile._steps.flatMap(({ row }) => row ?? []),
        profile._steps,
        held._weights,
      )
      held.items = held.items
        .map((item) => ({ ...item, score: scores.get(item.id) ?? null }))
        .sort((a, b) => (b.score ?? UNKNOWN) - (a.score ?? UNKNOWN))
    }

    tracker.on('seen', ({ event }) => {
      const { kind, item } = event
      if (kind === 'impression' || !item) return
      profile._add(event, [...lists.values()].flatMap(({ _list }) => keepRow(_list, item) ?? [])[0])
      lists.forEach((held, key) => {
        const element = key instanceof Element && key
        if (!held._weights || (element && !isLive(element))) return
        order(held)
        if (element) show(element, held.items)
        emit('reordered', held)
      })
    })
    tracker.on('forgotten', () => {
      profile._forget()
      lists.forEach((held) => (held._list = { ...held._list, steps: [] }))
    })

    return async (name, options) => {
      const { slot = name, key = slot, live } = options
      const personal = allowed()
      const device = !personal || (key instanceof Element ? isLive(key) : live)
      const response = await rank(name, device ? { ...options, device } : options)
      const list = response?.device
      if (!list) return response
      const { epoch } = response
      const held: Held = {
        slot,
        _epoch: epoch,
        _list: list,
        items: settled(response.items, lists.get(key)?.items),
      }
      profile._enter(epoch)
      lists.set(key, held).forEach((other, at) => {
        // Factors of two epochs do not mix: such a list follows the edge until it answers for it again.
        if (other._epoch !== epoch || (at instanceof Element && !at.isConnected)) lists.delete(at)
      })
      const weights = downloads.get(list.weights) ?? download(list.weights)
      downloads.set(list.weights, weights)
      const ready = weights
        .then((found) => {
          held._weights = found
          // Nobody else knows what this visitor did.
          if (!personal) order(held)
        })
        .catch((cause: unknown) => {
          report('DEVICE_FAILED', String(cause), { cause })
          // The next list tries again.
          downloads.delete(list.weights)
        })
      if (!personal) await ready
      return { ...response, items: held.items }
    }
  }
}

const isLive = (element: Element): boolean => element.hasAttribute('data-attune-live')

/** Puts the cards that are there in this order, as filling a slot would. */
function show(element: Element, items: readonly RankedItem[]): void {
  const cards = [...element.querySelectorAll(`[${ITEM}]`)]
  const next = items.flatMap(({ id }) => cards.find((card) => card.getAttribute(ITEM) === id) ?? [])
  arrange(element, cards, next).forEach((card, index) =>
    card.setAttribute('data-attune-position', String(index)),
  )
}

/** The edge's order; where only near ties are the other way round on the page, the page's. */
function settled(items: readonly RankedItem[], before: readonly RankedItem[] = []): readonly RankedItem[] {
  const placeOf = (item: RankedItem): number => before.findIndex(({ id }) => id === item.id)
  const falls = (list: readonly RankedItem[]): boolean =>
    list.every(
      ({ score }, index) => !index || (score ?? UNKNOWN) <= (list[index - 1]?.score ?? UNKNOWN) + TIE,
    )
  const same = [...items].sort((a, b) => placeOf(a) - placeOf(b))
  return falls(items) && falls(same) ? same : items
}
