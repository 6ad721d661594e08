import type { EventsRequest, EventsResponse, Random } from '@attune/core'
import { backoff } from './backoff.ts'
import type { Batch } from './batch.ts'
import type { Emitter } from './emitter.ts'
import type { Report } from './error.ts'
import type { Answer, Post } from './http.ts'
import type { Lock } from './lock.ts'
import type { Queue } from './queue.ts'
import type { SessionKeeper } from './session.ts'
import type { QueueStore } from './store/queue-store.ts'
import type { VisitorHandle } from './visitor.ts'

/** An edge that has not answered by then is asked again. */
const ANSWER_WITHIN_MS = 10_000
/** Nothing changes by itself about a wrong key: ask seldom. */
const KEY_REFUSED_WAIT_MS = 300_000
const MAX_WAIT_MS = 600_000

export interface SenderDeps {
  readonly queue: Queue
  readonly store: QueueStore
  readonly lock: Lock
  /**
   * Whether a visible page keeps the lock when there is nothing to send. Then the last click before a page goes can be
   * claimed and sent at once, without waiting for the lock, which would be too late.
   */
  readonly keepLock: boolean
  readonly visible: () => boolean
  readonly post: Post
  readonly visitor: VisitorHandle
  readonly session: SessionKeeper
  readonly emit: Emitter['emit']
  readonly report: Report
  readonly random: Random
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Milliseconds that never jump. */
  readonly elapsed: () => number
  /** Changes when the visitor is forgotten: what belongs to an older one is neither sent nor kept. */
  readonly generation: () => number
  /** Asks the tab that is sending, whichever it is, not to wait. */
  readonly nudge: () => void
}

export interface Sender {
  /** There is something to send, `afterMs` from now at the latest. */
  wake(afterMs: number): void
  /** Network or page are back: what waits for a retry is tried now. */
  back(): void
  /** The page may not run any further: what can be sent at once, is. `forGood`: it is being unloaded or frozen. */
  leaving(forGood: boolean): void
  /** Settles when everything is stored, or when the first try failed. */
  flush(): Promise<void>
  /** Another tab has stored something. */
  stored(): void
  close(): void
}

/** `persist`: the edge asked for the wait, so other tabs and later pages keep to it too. */
type Verdict = 'stored' | 'refused' | 'again' | { readonly waitMs: number; readonly persist?: boolean }

/** Sends batches one after another, in order, from one tab at a time. */
export function createSender(deps: SenderDeps): Sender {
  const { queue, store, post, visitor, session, report, elapsed, generation } = deps
  /** When to send next, by `elapsed`. */
  let due = Infinity
  /** Not before this, by `elapsed`: a try has failed. */
  let notBefore = 0
  let failures = 0
  /** Nothing is to be started any more, until the page comes back. */
  let away = false
  let { keepLock } = deps
  let myTurn = false
  let waiting = new AbortController()
  const waiters = new Set<() => void>()
  let running: Promise<void> | undefined
  let kick = (): void => {}
  let timer: ReturnType<typeof setTimeout> | undefined
  const inFlight = new Map<string, Promise<Verdict>>()

  function judge(answer: Answer, batch: Batch): Verdict {
    const body = answer.body as
      (Partial<EventsResponse> & { code?: string; issues?: EventsResponse['rejected'] }) | undefined
    // A network that answers for the edge (a login page, a proxy) does not know the batch.
    if (answer.status === 202 && body?.batch === batch.id) {
      if (body.rejected?.length)
        report('EVENTS_REJECTED', 'the edge refused events', { issues: body.rejected })
      return 'stored'
    }
    const code = body?.code ?? `HTTP ${answer.status}`
    switch (body?.code) {
      case 'EVENTS_REJECTED':
      case 'EVENTS_MALFORMED':
      case 'BODY_TOO_LARGE':
      case 'BATCH_TOO_LARGE':
        report('EVENTS_REJECTED', `the edge refused ${batch.events.length} events: ${code}`, {
          issues: body.issues ?? [],
        })
        return 'refused'
      case 'VISITOR_FORGED':
        report('VISITOR_REFUSED', 'the edge does not know this handle any more; asking for a new one')
        return 'again'
      case 'KEY_MISSING':
      case 'KEY_UNKNOWN':
      case 'KEY_FORBIDDEN':
        report('KEY_REFUSED', `the edge refused the site's key: ${code}`)
        return { waitMs: KEY_REFUSED_WAIT_MS }
    }
    report('DELIVERY_DELAYED', `events wait: ${code}`)
    return { waitMs: answer.retryAfterMs ?? 0, persist: true }
  }

  /** Puts the request on its way before it returns. */
  function deliver(
    batch: Batch,
    handle: string,
    token: string | undefined,
    keepalive: boolean,
  ): Promise<Verdict> {
    const already = inFlight.get(batch.id)
    if (already !== undefined) return already
    const born = generation()
    const body: EventsRequest = {
      batch: batch.id,
      visitor: handle,
      ...(token && { session: token }),
      events: batch.events,
    }
    const sent = post('events', body, { keepalive, signal: AbortSignal.timeout(ANSWER_WITHIN_MS) }).then(
      async (answer) => {
        inFlight.delete(batch.id)
        if (generation() !== born) return 'refused'
        const verdict = judge(answer, batch)
        if (verdict === 'stored') {
          const response = answer.body as EventsResponse
          await session.adopt(response.session, token, true)
          await queue.done(batch)
          deps.emit('stored', { events: batch.events, response, durationMs: answer.durationMs })
        } else if (verdict === 'refused') await queue.done(batch)
        return verdict
      },
    )
    inFlight.set(batch.id, sent)
    return sent
  }

  async function sendNext(): Promise<Verdict | undefined> {
    const after = await store.get('after')
    const waitMs = typeof after === 'number' ? after - deps.now() : 0
    // Further ahead than any edge may ask: the clock has been put back since.
    if (waitMs > 0 && waitMs <= MAX_WAIT_MS) return { waitMs }
    const born = generation()
    const batch = await queue.next()
    if (batch === undefined) return undefined
    const handle = await visitor.obtain()
    if (generation() !== born) return undefined
    if (typeof handle !== 'string') return judge(handle, batch)
    // keepalive has a budget of 64 KiB that the whole page shares: where it is spent the next try does without.
    const token = await session.read()
    const verdict = await deliver(batch, handle, token, failures === 0)
    if (verdict === 'again') await visitor.discard()
    return verdict
  }

  /** Sends until nothing is left or a try fails. */
  async function drain(): Promise<void> {
    for (;;) {
      due = Infinity
      const verdict = await sendNext()
      if (verdict === undefined) return
      if (typeof verdict !== 'object' && !(verdict === 'again' && failures > 0)) {
        failures = verdict === 'again' ? 1 : 0
        continue
      }
      failures++
      const { waitMs: asked, persist = false } = typeof verdict === 'object' ? verdict : { waitMs: 0 }
      if (persist && asked > 0) {
        const until = deps.now() + asked
        await store.update('after', () => until)
      }
      notBefore = elapsed() + asked + (asked > 0 ? deps.random() * 1_000 : backoff(failures, deps.random))
      due = notBefore
      return
    }
  }

  /** Runs as the sending tab. A page out of sight gives the lock back: it would keep it out of the bfcache. */
  async function turn(): Promise<void> {
    await queue.enter()
    myTurn = true
    try {
      while (wanted()) {
        const waitMs = Math.max(due, notBefore) - elapsed()
        if (waitMs <= 0) {
          await drain()
          for (const settle of waiters) settle()
          waiters.clear()
          continue
        }
        let pause: ReturnType<typeof setTimeout> | undefined
        await new Promise<void>((resolve) => {
          kick = resolve
          if (waitMs < Infinity) pause = setTimeout(resolve, waitMs)
        })
        clearTimeout(pause)
      }
    } finally {
      myTurn = false
      queue.leave()
    }
  }

  function wanted(): boolean {
    return !away && ((keepLock && deps.visible()) || (due < Infinity && elapsed() >= notBefore))
  }

  function arm(): void {
    clearTimeout(timer)
    if (away) return
    kick()
    const pendingMs = Math.max(due, notBefore) - elapsed()
    if (running === undefined && !wanted()) {
      if (due < Infinity) timer = setTimeout(arm, pendingMs)
      return
    }
    if (running === undefined) {
      const wait = (waiting = new AbortController())
      running = deps
        .lock(turn, wait.signal)
        .catch((cause: unknown) => {
          if (wait.signal.aborted) return
          // The lock was taken away or refused, or the store failed in both its halves.
          report('STORAGE_FAILED', 'sending was interrupted', { cause })
          keepLock = false
          notBefore = elapsed() + backoff(++failures, deps.random)
        })
        .finally(() => {
          running = undefined
          arm()
        })
    }
    // Another tab may be the one that sends, and know nothing of this.
    if (due < Infinity) timer = setTimeout(() => myTurn || deps.nudge(), Math.max(0, pendingMs))
  }

  function wake(afterMs: number): void {
    due = Math.min(due, elapsed() + afterMs)
    arm()
  }

  return {
    wake,
    back() {
      away = false
      notBefore = 0
      wake(0)
    },
    leaving(forGood) {
      const handle = visitor.known()
      const batch = handle === undefined ? undefined : queue.claim()
      if (batch !== undefined && handle !== undefined) void deliver(batch, handle, session.known(), true)
      if (!myTurn && due < Infinity) deps.nudge()
      if (due < Infinity) due = elapsed()
      away = forGood
      if (away) waiting.abort()
      kick()
      arm()
    },
    flush() {
      return new Promise((resolve) => {
        if (elapsed() < notBefore) return resolve()
        waiters.add(resolve)
        setTimeout(resolve, ANSWER_WITHIN_MS)
        wake(0)
        if (!myTurn) deps.nudge()
      })
    },
    stored() {
      for (const settle of waiters) settle()
      waiters.clear()
    },
    close() {
      away = true
      waiting.abort()
      clearTimeout(timer)
      kick()
    },
  }
}
