import {
  isEventKind,
  MAX_ITEM_ID_LENGTH,
  MAX_NAME_LENGTH,
  MAX_QUERY_LENGTH,
  needsItem,
  uuidv7,
  type EventKind,
  type Random,
  type TrackedEvent,
} from '@attune/core'
import { createTabChannel } from './channel.ts'
import { optedOut, type Consent } from './consent.ts'
import { createEmitter, type Emitter } from './emitter.ts'
import { createReport, type ClientError, type Report } from './error.ts'
import { given } from './given.ts'
import { createPost, type Post } from './http.ts'
import { createLease, createWebLock } from './lock.ts'
import { observe, type Observation } from './observe.ts'
import { createQueue, type Queue } from './queue.ts'
import { createSender } from './send.ts'
import { createSessionKeeper, type SessionKeeper } from './session.ts'
import { createIdbOrMemoryStore } from './store/idb-or-memory.ts'
import { deleteIdbStore, openIdbStore } from './store/idb.ts'
import { createMemoryStore } from './store/memory.ts'
import { ABANDONED_AFTER_MS, createSpill } from './store/spill.ts'
import type { QueueStore } from './store/queue-store.ts'
import { createVisitorHandle, type VisitorHandle } from './visitor.ts'

/** Clicks are sent almost at once; a few milliseconds let a click and the view it opens travel together. */
const SEND_ACTIONS_AFTER_MS = 50
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
  readonly store?: QueueStore
}

/** Where and how much; see the wire protocol. */
export type EventFields = Partial<Pick<TrackedEvent, 'slot' | 'position' | 'decision' | 'value' | 'query'>>

export interface Tracker {
  /**
   * Tells what the visitor did: `track('add-to-cart', 'sku-1', { value: 12.5 })`, `track('search', null, { query })`.
   *
   * @returns the event's id; undefined when it was not valid, which `onError` hears of
   */
  track(kind: EventKind, item?: string | null, fields?: EventFields): string | undefined
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
export interface TrackerParts {
  readonly tracker: Tracker
  readonly queue: Queue
  readonly post: Post
  readonly visitor: VisitorHandle
  readonly session: SessionKeeper
  readonly emit: Emitter['emit']
  readonly report: Report
  readonly generation: () => number
  readonly allowed: () => boolean
  /** Whether the visitor has said no, or their browser for them. */
  readonly refused: () => boolean
  readonly guard: <Args extends unknown[]>(handler: (...args: Args) => void) => (...args: Args) => void
}

/** Capture and durable delivery, without ranking. Importable anywhere; does nothing visible without a document. */
export function createTracker(options: TrackerOptions): Tracker {
  return assembleTracker(options).tracker
}

export function assembleTracker({
  endpoint,
  site,
  onError = (error) => console.warn(`attune: ${error.code}: ${error.message}`, error.cause ?? ''),
  observe: observing = true,
  fetch: fetcher = (input, init) => fetch(input, init),
  now = Date.now,
  random = Math.random,
  store: chosen,
  consent: asked = 'granted',
  privacySignals = 'respect',
}: TrackerOptions): TrackerParts {
  const page = typeof document === 'undefined' ? undefined : document
  const name = `attune-${site}`
  let emit: Emitter['emit'] | undefined
  const report = createReport((error) => {
    onError(error)
    emit?.('error', error)
  })
  const emitter = createEmitter(report)
  emit = emitter.emit
  const silenced = privacySignals === 'respect' && optedOut()
  let consent: Consent = silenced ? 'denied' : asked
  const allowed = (): boolean => consent === 'granted'
  const spill = page && createSpill(name, uuidv7(now(), random), now)
  const onDropped = (count: number): void => report('QUEUE_FULL', `${count} events given up`)
  const store = createIdbOrMemoryStore(
    async () => chosen ?? (page ? openIdbStore(name, { onDropped }) : createMemoryStore({ onDropped })),
    report,
    allowed,
    spill,
  )

  // Later ids of a tab sort later whatever its clock does: the store keeps events in this order.
  let stamp = 0
  const makeId = (): string => uuidv7((stamp = Math.max(now(), stamp + 1)), random)

  let generation = 0
  const post = createPost({ endpoint, site, fetch: fetcher, now })
  const queue = createQueue(store, makeId)
  const visitor = createVisitorHandle(store, post)
  const session = createSessionKeeper(store)
  const locks = typeof navigator === 'undefined' ? undefined : navigator.locks
  const forgetHere = (): void => {
    generation++
    queue.forget()
    emitter.emit('forgotten', undefined)
    void visitor.read()
    void session.read()
  }
  const channel = createTabChannel(name, (message) => {
    if (message.type === 'stored') {
      sender.stored()
      emitter.emit('stored', message.detail)
    } else if (message.type === 'send-now') sender.wake(0)
    else forgetHere()
  })
  const sender = createSender({
    queue,
    store,
    post,
    visitor,
    session,
    report,
    random,
    now,
    keepLock: locks !== undefined,
    visible: () => page?.visibilityState === 'visible',
    lock: locks && page ? createWebLock(locks, name) : createLease(store, makeId(), now),
    elapsed: () => performance.now(),
    generation: () => generation,
    allowed,
    nudge: () => channel.tell({ type: 'send-now' }),
    emit(event, detail) {
      emitter.emit(event, detail)
      if (event === 'stored') channel.tell({ type: 'stored', detail: detail as never })
    },
  })

  const guard: TrackerParts['guard'] =
    (handler) =>
    (...args) => {
      try {
        handler(...args)
      } catch (cause) {
        report('PAGE_CODE_FAILED', 'in a handler', { cause })
      }
    }

  function record(observations: readonly Observation[]): string | undefined {
    const at = now()
    const events: TrackedEvent[] = []
    for (const observation of observations) {
      const { kind, item = '', query = '', slot = '', value = 0 } = observation
      const wrong = !isEventKind(kind)
        ? 'kind'
        : (needsItem(kind) && !item) || item.length > MAX_ITEM_ID_LENGTH
          ? 'item'
          : slot.length > MAX_NAME_LENGTH
            ? 'slot'
            : kind === 'search' && !query
              ? 'query'
              : !Number.isFinite(value) && 'value'
      if (wrong) report('EVENT_INVALID', `${wrong}: ${JSON.stringify(observation)}`)
      else
        events.push({
          id: makeId(),
          at,
          ...observation,
          ...(query && { query: query.slice(0, MAX_QUERY_LENGTH) }),
        })
    }
    for (const event of events) emitter.emit('seen', { event })
    if (events.length === 0 || consent === 'denied') return undefined
    queue.add(events)
    const patient = events.every((event) => event.kind === 'impression')
    sender.wake(patient ? SEND_IMPRESSIONS_AFTER_MS : SEND_ACTIONS_AFTER_MS)
    for (const event of events) emitter.emit('queued', { event })
    return events.at(-1)?.id
  }

  const told = new WeakSet<Event>()
  const stops: (() => void)[] = []
  function listen(target: EventTarget, type: string, handler: () => void): void {
    const guarded = guard(handler)
    target.addEventListener(type, guarded)
    stops.push(() => target.removeEventListener(type, guarded))
  }
  const watch: Tracker['observe'] = (root) => {
    const stop = observe({ root, told, track: record, guard })
    stops.push(stop)
    return stop
  }
  if (page) {
    channel.open()
    listen(page, 'visibilitychange', () =>
      page.visibilityState === 'hidden' ? sender.leaving(false) : sender.back(),
    )
    listen(window, 'pagehide', () => {
      sender.leaving(true)
      channel.close()
    })
    listen(window, 'pageshow', () => {
      channel.open()
      sender.back()
    })
    listen(window, 'online', sender.back)
    if (observing) guard(watch)(page)
  }
  let opened = false
  function start(): void {
    if (!page) return
    if (!allowed()) {
      // What an earlier page kept, before the visitor said no. While there is no answer it stays, untouched.
      if (consent === 'denied' && !opened) {
        spill?.clear()
        void deleteIdbStore(name)
      }
      return
    }
    opened = true
    // A page left in its first moments needs them in memory.
    void visitor.read()
    void session.read()
    // What earlier pages left behind, and then what they had no time to write down.
    sender.wake(0)
    setTimeout(() => sender.wake(0), ABANDONED_AFTER_MS + 100)
  }
  start()

  const tracker: Tracker = {
    track(kind, item, fields) {
      try {
        return record([given<Observation>({ kind, item, ...fields })])
      } catch (cause) {
        report('EVENT_INVALID', 'track', { cause })
        return undefined
      }
    },
    on: emitter.on,
    flush: sender.flush,
    visitor: visitor.read,
    observe: watch,
    consent(answer) {
      if (silenced || answer === consent) return
      if (answer === 'denied') void tracker.forget()
      consent = answer
      start()
      if (allowed()) sender.wake(0)
    },
    async forget() {
      generation++
      queue.forget()
      await store.clear()
      forgetHere()
      channel.tell({ type: 'forget' })
    },
    close() {
      for (const stop of stops.splice(0)) stop()
      channel.close()
      sender.close()
      store.close()
    },
  }
  return {
    tracker,
    queue,
    post,
    visitor,
    session,
    emit: emitter.emit,
    report,
    generation: () => generation,
    allowed,
    refused: () => consent === 'denied',
    guard,
  }
}
