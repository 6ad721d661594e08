import type { RankedItem, RankResponse } from '@attune/core'
import { arrange } from './arrange.ts'
import type { Emitter } from './emitter.ts'
import type { Report } from './error.ts'
import { given } from './given.ts'
import type { RankCall, RankOptions, RankSlot } from './rank.ts'
import { bindTemplate, fetchFields, type Fields, type Lookup } from './template.ts'

export interface SlotOptions extends Omit<RankOptions, 'slot' | 'signal'> {
  /** Makes the element that shows an item; undefined leaves the item out. */
  readonly render?: (item: RankedItem, fields: Fields, index: number) => Element | undefined
  /** Items' names, pictures and so on, by id, for `render` or the slot's template. */
  readonly lookup?: Lookup
}

export interface Slots {
  /** Says how slots of this name are filled, and fills those on the page. Returns a function that takes it back. */
  _register(name: string, options: SlotOptions): () => void
  /** Asks again for the lists of this name; of all when there is none. Settles when they are shown. */
  _refresh(name?: string): Promise<unknown>
  /** The visitor did something: slots with `data-attune-live` are asked for again. */
  _acted(): void
  /** Fills what is there and what comes. Returns a function that stops it. */
  _watch(): () => void
}

const SLOT = 'data-attune-slot'
const ITEM = 'data-attune-item'
const DECIDED = '[data-attune-decision]'

/**
 * Fills slots: with a `<template>` in it, with the page's `render` function, or, with `data-attune-rank`, by putting the
 * cards the page put there in order. Whatever goes wrong, a slot keeps the content it has.
 */
export function createSlots(
  rank: RankSlot,
  report: Report,
  on: Emitter['on'],
  commonLookup: Lookup | undefined,
  fetch: typeof globalThis.fetch,
): Slots {
  const registered = new Map<string, SlotOptions>()
  const turns = new WeakMap<Element, number>()
  /** Cards made here, which are used again when their item is still in the list. */
  const made = new WeakSet<Element>()

  const nameOf = (element: Element): string => element.getAttribute(SLOT) ?? ''
  const idOf = (card: Element): string => card.getAttribute(ITEM) ?? ''
  const isOurs = (element: Element): boolean =>
    registered.has(nameOf(element)) ||
    element.hasAttribute('data-attune-rank') ||
    element.querySelector('template') !== null

  function nextTurn(element: Element): number {
    const turn = (turns.get(element) ?? 0) + 1
    turns.set(element, turn)
    return turn
  }

  async function fill(element: Element): Promise<void> {
    const name = nameOf(element)
    const turn = nextTurn(element)
    try {
      const { render, lookup = commonLookup, ...options } = registered.get(name) ?? {}
      const text = (attribute: string): string | undefined =>
        element.getAttribute(`data-attune-${attribute}`) || undefined
      const reorder = element.hasAttribute('data-attune-rank')
      const template = element.querySelector('template')
      const container = template?.parentElement ?? element
      const cards = (): Element[] =>
        reorder
          ? [...element.querySelectorAll(`[${ITEM}]`)]
          : [...container.children].filter((child) => child !== template)
      const { length } = cards()
      const response = await rank(name, {
        ...given<RankCall>({
          strategy: text('strategy') as RankCall['strategy'],
          item: text('like'),
          exclude: text('exclude')?.split(/[\s,]+/),
          candidates: reorder ? cards().map(idOf) : undefined,
          k: Number(text('k')) || length || undefined,
        }),
        ...options,
        key: element,
      })
      if (response === undefined) return
      const address = text('items')
      const find =
        address === undefined ? lookup : (ids: readonly string[]) => fetchFields(fetch, address, ids)
      const fields = reorder
        ? undefined
        : (response._fields ??= await find?.(response.items.map(({ id }) => id)))
      if (!element.isConnected || turns.get(element) !== turn) return

      const old = cards()
      const present = new Map(old.map((card) => [idOf(card), card]))
      const next = new Map<Element, string>()
      response.items.forEach((ranked, index) => {
        const { id } = ranked
        const there = present.get(id)
        const shown = fields === undefined ? {} : fields[id]
        const card =
          there !== undefined && (reorder || made.has(there))
            ? there
            : reorder || shown === undefined
              ? undefined
              : (render?.(ranked, shown, index) ??
                (template ? bindTemplate(template, { ...shown, id }) : undefined))
        if (card === undefined) return
        made.add(card)
        next.set(card, id)
      })
      if (next.size > 0) show(element, arrange(container, old, [...next.keys()]), next, response)
    } catch (cause) {
      report('SLOT_FAILED', name, { cause })
    }
  }

  /** Says where each card stands and who decided it, for the clicks and impressions that follow. */
  function show(
    element: Element,
    order: readonly Element[],
    ranked: ReadonlyMap<Element, string>,
    response: RankResponse,
  ) {
    element.setAttribute('data-attune-decision', response.decision)
    order.forEach((card, index) => {
      const id = ranked.get(card)
      if (id !== undefined) card.setAttribute(ITEM, id)
      card.setAttribute('data-attune-position', String(index))
      // One of the page's own cards that kept its place: nobody decided on it.
      if (id === undefined) card.setAttribute('data-attune-decision', '')
      else card.removeAttribute('data-attune-decision')
    })
  }

  /** None on a server. */
  const onPage = (more = ''): Element[] =>
    [...((globalThis.document as Document | undefined)?.querySelectorAll(`[${SLOT}]${more}`) ?? [])].filter(
      isOurs,
    )
  const fillNamed = (name?: string): Promise<unknown> =>
    Promise.all(
      onPage()
        .filter((element) => name === undefined || nameOf(element) === name)
        .map(fill),
    )
  const scan = (): void =>
    onPage()
      .filter((element) => !turns.has(element))
      .forEach(fill)

  return {
    _register(name, options) {
      registered.set(name, options)
      void fillNamed(name)
      return () => registered.delete(name)
    },
    _refresh: fillNamed,
    _acted: () => onPage('[data-attune-live]').forEach(fill),
    _watch() {
      const changes = new MutationObserver((records) => {
        // Slots are few and pages change often: look only when something came that may hold one.
        if (records.some(({ addedNodes }) => [...addedNodes].some((node) => node instanceof Element))) scan()
      })
      changes.observe(document, { subtree: true, childList: true })
      // What is still on its way must not change a list when the page comes out of the back/forward cache.
      addEventListener('pagehide', () => onPage(DECIDED).forEach(nextTurn))
      // A decision about somebody who is forgotten would lead from their next handle back to the one before.
      on('forgotten', () =>
        onPage(DECIDED).forEach((element) => {
          nextTurn(element)
          element.setAttribute('data-attune-decision', '')
        }),
      )
      scan()
      return () => changes.disconnect()
    },
  }
}
