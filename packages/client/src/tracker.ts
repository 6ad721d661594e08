import {
  MAX_ITEM_ID_LENGTH,
  MAX_QUERY_LENGTH,
  needsItem,
  uuidv7,
  type EventKind,
  type Random,
  type TrackedEvent,
} from '@attune/core'
import { telling } from './batch.ts'
import { createTabChannel } from './channel.ts'
import { optedOut, type Consent } from './consent.ts'
import { createSignals, type Emitter } from './emitter.ts'
import type { ClientError } from './error.ts'
import { createPost } from './http.ts'
import { createLock } from './lock.ts'
import { observe, type Observation } from './observe.ts'
import type { Parts } from './parts.ts'
import { createQueue } from './queue.ts'
import { createSender } from './send.ts'
import { createSequence } from './sequence.ts'
import { createFactKeeper } from './store/facts.ts'
import { deleteIdbStore, openIdbStore } from './store/idb.ts'
import { createKept } from './store/kept.ts'
import type { KeyValueStore } from './store/key-value.ts'
import { clearSpill, createSpill } from './store/spill.ts'

/** Clicks are sent almost at once; a few milliseconds let a click and the view it opens travel together. */
const SEND_ACTIONS_AFTER_MS = 50
/** What a page left that ended a moment ago is taken over then: see `ABANDONED_AFTER_MS`. */
const LOOK_AGAIN_AFTER_MS = 3_100
/** Impressions come in crowds and nobody waits for them. */
const SEND_IMPRESSIONS_AFTER_MS = 2_000

export interface TrackerOptions {
  /** Address of the edge, for instance `https://edge.example.com` or, first-party, `/attune`. */
  readonly endpoint: string
  /** The site's public key. */
  readonly site: string
  /** What a developer should know, once per cause. Default: `console.warn`. */
  readonly onError?: (error: ClientError) => void
  /** What the visitor has agreed to. Default `granted`; with a banner: `pending` until it has been answered. */
  readonly consent?: Consent
  /** Global Privacy Control and Do Not Track mean `denied`, whatever the page says. Default: respected. */
  readonly privacySignals?: 'respect' | 'ignore'
  /** What to watch for data attributes. Default: the document; false: nothing. */
  readonly observe?: boolean
  readonly fetch?: typeof fetch
  /** Milliseconds since 1970. */
  readonly now?: () => number
  readonly random?: Random
  /** Default: IndexedDB, or memory where that is refused. */
  readonly store?: KeyValueStore
}

/** Where and how much; see the wire protocol. */
export type EventFields = Partial<Pick<TrackedEvent, 'slot' | 'position' | 'decision' | 'value' | 'query'>>

/** Changes an event before it is kept, or drops it. */
export type Plugin = (event: TrackedEvent) => TrackedEvent | null | undefined

export interface Tracker {
  /**
   * Tells what the visitor did: `track('add-to-cart', 'sku-1', { value: 12.5 })`, `track('search', null, { query })`.
   *
   * @returns the event's id; undefined when it was not valid, which `onError` hears of
   */
  track(kind: EventKind, item?: string | null, fields?: EventFields): string | undefined
  /**
   * Lets `plugin` see each event before it is kept: what it returns is kept instead, and nothing when it returns nothing.
   * One that throws, which `onError` hears of, changes nothing. Plug-ins run in the order in which they came. Returns a
   * function that takes it away again.
   */
  use(plugin: Plugin): () => void
  on: Emitter['on']
  /** Sends what waits; settles when it is stored or the first try has failed. */
  flush(): Promise<void>
  /** The visitor's handle, if one has been issued: an opaque pseudonym. */
  visitor(): Promise<string | undefined>
  /** Watches one more part of the page, for instance an open shadow root. Returns a function that stops it. */
  observe(root: Document | ShadowRoot | Element): () => void
  /** The visitor has answered. `denied` also forgets everything kept on this device. */
  consent(answer: Consent): void
  /** Forgets everything kept on this device: events that wait, the handle, the session token. */
  forget(): Promise<void>
  /** Stops watching and sending; what waits stays in the store. */
  close(): void
}

/** What ranking needs of a tracker. */
export interface Assembled {
  readonly tracker: Tracker
  readonly parts: Parts
}

/** Capture and durable delivery, without ranking. Importable anywhere; does nothing visible without a document. */
export function createTracker(options: TrackerOptions): Tracker {
  return assembleTracker(options).tracker
}

/** Whether the edge may take it; the edge has the last word, and `onError` hears of it. */
const isGood = ({ kind, item, query, value = 0 }: Observation): unknown =>
  (item ? item.length <= MAX_ITEM_ID_LENGTH : !needsItem(kind)) &&
  (kind !== 'search' || query) &&
  Number.isFinite(value)

export function assembleTracker({
  endpoint,
  site,
  onError = (error) => console.warn('attune', error.code, error),
  observe: observing = true,
  fetch: fetcher,
  now = Date.now,
  random = Math.random,
  store: chosen,
  consent: asked = 'granted',
  privacySignals,
}: TrackerOptions): Assembled {
  const page = globalThis.document as Document | undefined
  const name = `attune-${site}`
  const signals = createSignals(onError)
  const { _emit: emit, _report: report, _guard: guard } = signals
  const ignored = privacySignals === 'ignore'
  const silenced = page && !ignored && optedOut()
  let consent: Consent = silenced ? 'denied' : asked
  const allowed = (): boolean => consent === 'granted'
  // Later ids of a tab sort later whatever its clock does: the store keeps events in this order.
  let stamp = 0
  const makeId = (): string => uuidv7((stamp = Math.max(now(), stamp + 1)), random)

  const spill = page && createSpill(name, makeId(), now)
  const kept = createKept(async () => chosen ?? (page && openIdbStore(name)), report, allowed, spill)

  const sequence = createSequence(name, () => makeId().slice(-12), allowed, spill?._number)
  const facts = createFactKeeper(kept)
  const parts: Parts = {
    ...signals,
    _kept: kept,
    _queue: createQueue(kept, facts, makeId, report, now),
    _post: createPost(endpoint, site, fetcher, now, ignored ? 'granted' : undefined),
    _facts: facts,
    _now: now,
    _random: random,
    _allowed: allowed,
    _refused: () => consent === 'denied',
    _generation: 0,
  }
  const forgetHere = (): void => {
    parts._generation++
    sender._forget()
    sequence._renew()
    emit('forgotten', undefined)
    facts._note(new Map())
  }
  const channel = createTabChannel(name, {
    stored(detail) {
      sender._settle()
      emit('stored', detail)
    },
    nudge: () => sender._nudged(),
    forget: forgetHere,
    // A browser that duplicates a tab copies its sessionStorage.
    tab(other) {
      if (other === sequence._name()) sequence._renew()
    },
  })
  const sender = createSender(
    parts,
    createLock(name, kept, makeId(), now),
    page && 'locks' in navigator,
    channel._tell,
  )

  const plugins = new Set<Plugin>()
  function record(observations: readonly Observation[]): string | undefined {
    const at = now()
    const events: TrackedEvent[] = []
    const keep = guard((observation: Observation) => {
      let event = { id: makeId(), at, ...observation } as TrackedEvent | null | undefined
      // One that throws changes nothing, and loses nothing.
      for (const plugin of plugins) guard(() => (event &&= plugin(event)))()
      if (!event) return
      if (!isGood(event)) return report('EVENT_INVALID', JSON.stringify(event))
      const { kind, query } = event
      events.push({
        ...event,
        ...(query && { query: query.slice(0, MAX_QUERY_LENGTH) }),
        ...(kind !== 'impression' && consent !== 'denied' && sequence._next()),
      })
    })
    observations.forEach(keep as (observation: Observation) => void)
    for (const event of events) emit('seen', { event })
    if (!events[0] || consent === 'denied') return undefined
    sender._add(events, telling(events)[0] ? SEND_ACTIONS_AFTER_MS : SEND_IMPRESSIONS_AFTER_MS)
    for (const event of events) emit('queued', { event })
    return events.at(-1)?.id
  }

  const told = new WeakSet<Event>()
  const closed = new AbortController()
  const { signal } = closed
  const listen = (target: EventTarget, type: string, handler: () => void): void =>
    target.addEventListener(type, guard(handler), { signal })
  const watch: Tracker['observe'] = (root) => {
    const stop = observe(root, told, record, guard)
    signal.addEventListener('abort', stop)
    return stop
  }
  function start(): void {
    if (!page) return
    if (allowed()) {
      // In a task of its own: the page waits for the first look into storage.
      setTimeout(() => {
        channel._tell('tab', sequence._name())
        // What earlier pages left behind, and then what they had no time to write down.
        sender._look()
      })
      setTimeout(sender._look, LOOK_AGAIN_AFTER_MS)
    } else if (consent === 'denied') {
      // What an earlier page kept, before the visitor said no. While there is no answer it stays, untouched.
      sequence._renew()
      clearSpill(name)
      deleteIdbStore(name)
    }
  }
  if (page) {
    channel._open()
    listen(page, 'visibilitychange', () => (page.hidden ? sender._leaving() : sender._back()))
    listen(window, 'pagehide', () => {
      sender._leaving(true)
      channel._close()
    })
    listen(window, 'pageshow', () => {
      channel._open()
      sender._back()
    })
    listen(window, 'online', sender._back)
    if (observing) guard(watch)(page)
  }
  start()

  const tracker: Tracker = {
    track: (kind, item, fields) => record([{ kind, item: item ?? undefined, ...fields }]),
    use(plugin) {
      plugins.add(plugin)
      return () => plugins.delete(plugin)
    },
    on: signals._on,
    flush: sender._flush,
    async visitor() {
      await kept._update((all) => (facts._note(all), []))
      return facts._known.visitor
    },
    observe: watch,
    consent(answer) {
      if (silenced || answer === consent) return
      if (answer === 'denied') void tracker.forget()
      consent = answer
      start()
    },
    async forget() {
      forgetHere()
      clearSpill(name)
      await kept._update((all) => [...all.keys()].map((key) => [key]))
      forgetHere()
      channel._tell('forget')
    },
    close() {
      closed.abort()
      channel._close()
      sender._close()
      kept._close()
    },
  }
  return { tracker, parts }
}
