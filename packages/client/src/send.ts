import type { EventsRequest, EventsResponse, Problem, Random } from '@attune/core'
import { backoff } from './backoff.ts'
import type { Batch } from './batch.ts'
import type { Emitter } from './emitter.ts'
import type { Report } from './error.ts'
import { given } from './given.ts'
import { ANSWER_WITHIN_MS, MAX_RETRY_AFTER_MS, type Answer, type Post } from './http.ts'
import type { Lock } from './lock.ts'
import type { Queue } from './queue.ts'
import type { SessionKeeper } from './session.ts'
import type { QueueStore } from './store/queue-store.ts'
import type { VisitorHandle } from './visitor.ts'

/** Nothing changes by itself about a wrong key: ask seldom. */
const KEY_REFUSED_WAIT_MS = 300_000

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
  /** Whether the visitor lets anything be sent. */
  readonly allowed: () => boolean
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

/** Sends batches one after another, in order, from one tab at a time. */
export function createSender(deps: SenderDeps): Sender {
  const { queue, store, post, visitor, session, report, elapsed, generation, random, now } = deps
  /** When to send next, by `elapsed`. */
  let due = Infinity
  /** Not before this, by `elapsed`: a try has failed. */
  let notBefore = 0
  let failures = 0
  /** Nothing is to be started any more, until the page comes back. */
  let away = false
  let { keepLock } = deps
  let myTurn = false
  /** The last look into the store found nothing, so that what has come since may go without overtaking anything. */
  let clean = false
  let waiting = new AbortController()
  const waiters = new Set<() => void>()
  let running: Promise<void> | undefined
  let kick = (): void => {}
  let timer: ReturnType<typeof setTimeout> | undefined
  const inFlight = new Map<string, Promise<boolean>>()

  function pause(askedMs?: number): false {
    failures++
    due = notBefore = elapsed() + (askedMs ? askedMs + random() * 1_000 : backoff(failures, random))
    return false
  }

  /** Draws the consequences of an answer. Returns whether to go on with the next batch. */
  async function judge(answer: Answer, batch: Batch, token?: string): Promise<boolean> {
    const body = answer.body as (Partial<EventsResponse> & Partial<Problem>) | undefined
    // A network that answers for the edge (a login page, a proxy) does not know the batch.
    if (answer.status === 202 && body?.batch === batch.id) {
      failures = 0
      if (body.rejected?.length) report('EVENTS_REJECTED', 'by the edge', { issues: body.rejected })
      await session.adopt(body.session, token, true)
      await queue.done(batch)
      const response = body as EventsResponse
      deps.emit('stored', { events: batch.events, response, durationMs: answer.durationMs })
      return true
    }
    const code = body?.code ?? `HTTP ${answer.status}`
    if (/^EVENTS_|TOO_LARGE$/.test(code)) {
      report('EVENTS_REJECTED', code, { issues: body?.issues ?? [] })
      await queue.done(batch)
      return true
    }
    if (code === 'VISITOR_FORGED') {
      report('VISITOR_REFUSED', 'asking for a new handle')
      await visitor.discard()
      return failures++ === 0 || pause()
    }
    if (code.startsWith('KEY_')) {
      report('KEY_REFUSED', code)
      return pause(KEY_REFUSED_WAIT_MS)
    }
    report('DELIVERY_DELAYED', code)
    const wait = answer.retryAfterMs
    // Other tabs and later pages keep to it too.
    if (wait) await store.update('after', () => now() + wait)
    return pause(wait)
  }

  /** Puts the request on its way before it returns. */
  function deliver(batch: Batch, handle: string, token?: string, keepalive = true): Promise<boolean> {
    const born = generation()
    const body = given<EventsRequest>({
      batch: batch.id,
      visitor: handle,
      session: token,
      events: batch.events,
    })
    const sent =
      inFlight.get(batch.id) ??
      post('events', body, { keepalive })
        .then((answer) => generation() !== born || judge(answer, batch, token))
        .finally(() => inFlight.delete(batch.id))
    inFlight.set(batch.id, sent)
    return sent
  }

  /** Returns whether to go on. */
  async function sendNext(): Promise<boolean> {
    due = Infinity
    clean = false
    const born = generation()
    const waitMs = Number((await store.get('after')) ?? 0) - now()
    // Further ahead than any edge may ask: the clock has been put back since.
    if (waitMs > 0 && waitMs <= MAX_RETRY_AFTER_MS) return pause(waitMs)
    const batch = deps.allowed() ? await queue.next() : undefined
    if (batch === undefined) {
      clean = true
      return false
    }
    const handle = await visitor.obtain()
    const token = await session.read()
    if (generation() !== born || !deps.allowed()) return true
    if (typeof handle !== 'string') return judge(handle, batch)
    // keepalive has a budget of 64 KiB that the whole page shares: where it is spent the next try does without.
    return deliver(batch, handle, token, failures === 0)
  }

  function settle(): void {
    for (const waiter of waiters) waiter()
    waiters.clear()
  }

  /** Runs as the sending tab. A page out of sight gives the lock back: it would keep it out of the bfcache. */
  async function turn(): Promise<void> {
    clean = false
    await queue.enter()
    myTurn = true
    try {
      while (wanted()) {
        const waitMs = Math.max(due, notBefore) - elapsed()
        if (waitMs <= 0) {
          while (await sendNext());
          settle()
          continue
        }
        let alarm: ReturnType<typeof setTimeout> | undefined
        await new Promise<void>((resolve) => {
          kick = resolve
          if (waitMs < Infinity) alarm = setTimeout(resolve, waitMs)
        })
        clearTimeout(alarm)
      }
    } finally {
      myTurn = false
      queue.leave()
    }
  }

  function wanted(): boolean {
    return (
      !away && deps.allowed() && ((keepLock && deps.visible()) || (due < Infinity && elapsed() >= notBefore))
    )
  }

  function arm(): void {
    clearTimeout(timer)
    if (away || !deps.allowed()) return kick()
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
          report('STORAGE_FAILED', 'sending', { cause })
          keepLock = false
          pause()
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
      const batch = handle && clean && deps.allowed() ? queue.claim() : undefined
      if (batch && handle) void deliver(batch, handle, session.known(), true)
      if (!myTurn && due < Infinity) deps.nudge()
      if (due < Infinity) due = elapsed()
      away = forGood
      if (away) waiting.abort()
      kick()
      arm()
    },
    flush() {
      return new Promise((resolve) => {
        if (elapsed() < notBefore || !deps.allowed()) return resolve()
        waiters.add(resolve)
        setTimeout(resolve, ANSWER_WITHIN_MS)
        wake(0)
        if (!myTurn) deps.nudge()
      })
    },
    stored: settle,
    close() {
      away = true
      waiting.abort()
      clearTimeout(timer)
      kick()
    },
  }
}
