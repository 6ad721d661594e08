import type { EventsRequest, EventsResponse, Problem, TrackedEvent } from '@attune/core'
import { acknowledge } from './acknowledge.ts'
import { backoff } from './backoff.ts'
import type { Batch } from './batch.ts'
import type { Tell } from './channel.ts'
import { elapsed } from './elapsed.ts'
import { ANSWER_WITHIN_MS, MAX_RETRY_AFTER_MS, type Answer } from './http.ts'
import type { Lock } from './lock.ts'
import type { Parts } from './parts.ts'
import { numbersBefore } from './sequence.ts'
import { obtainHandle } from './visitor.ts'

export interface Sender {
  /** Something happened: it is written down, and sent within `afterMs`. */
  _add(events: readonly TrackedEvent[], afterMs: number): void
  /** Looks what waits, and sends it. */
  _look(): void
  /** Another tab wants it sent now. It is heard by all, and only one of them can do it. */
  _nudged(): void
  /** Network or page are back: what waits for a retry is tried now. */
  _back(): void
  /** The page may not run any further: what can be sent at once, is. `forGood`: it is being unloaded or frozen. */
  _leaving(forGood?: boolean): void
  /** Settles when everything is stored, or when the first try failed. */
  _flush(): Promise<void>
  /** Another tab has stored something. */
  _settle(): void
  /** Everything was forgotten. */
  _forget(): void
  _close(): void
}

/** JSON leaves out what is undefined. */
type Loose<T> = { readonly [Key in keyof T]: T[Key] | undefined }

/** Whoever clicks again soon has both sent together. */
const SEND_AGAIN_AFTER_MS = 1_000

/**
 * Sends batches one after another, in order, from one tab at a time.
 *
 * @param keepLock - whether a visible page keeps the lock when there is nothing to send. Then the last click before a
 *   page goes can be claimed and sent at once, without waiting for the lock, which would be too late.
 * @param tell - reaches the other tabs
 */
export function createSender(parts: Parts, lock: Lock, keepLock: unknown, tell: Tell): Sender {
  const {
    _queue: queue,
    _facts: facts,
    _report: report,
    _random: random,
    _now: now,
    _allowed: allowed,
  } = parts
  /** When to send next, by `elapsed`. */
  let due = Infinity
  /** Not before this, by `elapsed`: a try has failed. */
  let notBefore = 0
  let failures = 0
  /** Nothing is to be started any more, until the page comes back. */
  let away: boolean | undefined
  /** 2: the last look into the store found nothing, and nobody else may send: what has come since is all that waits. 1: being looked. */
  let clean = 0
  let firm: unknown
  /** By `elapsed`. */
  let sentAt = -SEND_AGAIN_AFTER_MS
  let waiting: AbortController | undefined
  /** Gives the lock back; there while it is this tab's turn. */
  let release: (() => void) | undefined
  let sending = false
  const waiters = new Set<() => void>()
  let timer: ReturnType<typeof setTimeout> | undefined
  /** A batch on its way. */
  let flight: Promise<unknown> | undefined

  /** Asks the tab that is sending, if it is another one, not to wait. */
  const nudge = (): void => {
    if (!release) tell('nudge')
  }

  function pause(askedMs = 0): void {
    clean = 0
    failures++
    due = notBefore = elapsed() + (askedMs ? askedMs + random() * 1_000 : backoff(failures, random))
  }

  /** Draws the consequences of an answer. Returns whether to go on with the next batch. */
  async function judge(answer: Answer, batch: Batch): Promise<unknown> {
    const body = (answer._body ?? {}) as Partial<EventsResponse & Problem>
    // A network that answers for the edge (a login page, a proxy) does not know the batch.
    if (answer._status === 202 && body.batch === batch.id) {
      failures = 0
      if (body.rejected?.[0]) report('EVENTS_REJECTED', 'some', { issues: body.rejected })
      await acknowledge(parts, batch, body.session)
      const detail = {
        events: batch.events,
        response: body as EventsResponse,
        durationMs: answer._durationMs,
      }
      parts._emit('stored', detail)
      tell('stored', detail)
      return true
    }
    const verdict =
      body.code && (await (await import('./rare.ts')).refused(parts, batch, body, failures, acknowledge))
    clean = 0
    if (verdict === true) {
      failures++
      return true
    }
    if (!verdict) report('DELIVERY_DELAYED', body.code ?? `HTTP ${answer._status}`)
    const askedMs = verdict || answer._waitMs
    // Other tabs and later pages keep to it too.
    if (askedMs) await facts._update((known) => ({ ...known, after: now() + askedMs }))
    return pause(askedMs)
  }

  /** Puts the request on its way before it returns. */
  function post(batch: Batch, handle: string, keepalive: boolean | 'later'): Promise<Answer> {
    sentAt = elapsed()
    const { id, events, last } = batch
    const { session, seen } = facts._known
    const body: Loose<EventsRequest> = {
      batch: id,
      visitor: handle,
      session,
      after: numbersBefore(seen, batch),
      last,
      events,
    }
    return parts._post('events', body, keepalive)
  }

  function deliver(batch: Batch, handle: string, keepalive: boolean): Promise<unknown> {
    const born = parts._generation
    return (flight = post(batch, handle, keepalive)
      // Who has given the lock back has no say any more: whoever has it sends the batch again.
      .then((answer) => parts._generation !== born || !release || judge(answer, batch))
      .finally(() => {
        flight = undefined
        arm()
      }))
  }

  /** What is to be sent next; looks into the store where that may hold something else. */
  async function find(): Promise<Batch | undefined> {
    if (clean > 1) return queue._take()
    clean = firm ? 1 : 0
    const found = await queue._next()
    clean = found ? 0 : clean * 2
    return found
  }

  /** Returns whether to go on. */
  async function sendNext(): Promise<unknown> {
    if (!release) return false
    due = Infinity
    await flight
    const born = parts._generation
    const batch = allowed() && (await find())
    if (!batch) return undefined
    const askedMs = (facts._known.after ?? 0) - now()
    // Further ahead than any edge may ask: the clock has been put back since.
    if (askedMs > 0 && askedMs <= MAX_RETRY_AFTER_MS) return pause(askedMs)
    const handle = await obtainHandle(facts, parts._post)
    if (parts._generation !== born || !release || !allowed()) return true
    // keepalive has a budget of 64 KiB that the whole page shares: where it is spent the next try does without.
    return typeof handle === 'string' ? deliver(batch, handle, !failures) : judge(handle, batch)
  }

  function settle(): void {
    for (const waiter of waiters) waiter()
    waiters.clear()
  }

  const waitMs = (): number => Math.max(due, notBefore) - elapsed()

  /** Whether there is a reason to keep the lock. */
  const wanted = (): unknown =>
    !away && allowed() && (waitMs() <= 0 || flight || (keepLock && !document.hidden))

  /** From now on others may send. What this tab has waits in the store. */
  const yields = (): void => {
    clean = 0
    queue._take()
  }

  const fail = (cause: unknown): void => {
    // What a page begins as it goes away may fail.
    if (away) return
    report('STORAGE_FAILED', 'sending', { cause })
    pause()
  }

  async function work(): Promise<void> {
    sending = true
    try {
      // A page that is left loses it meanwhile.
      // oxlint-disable-next-line no-unmodified-loop-condition
      while (release && wanted() && waitMs() <= 0) {
        while (await sendNext());
        settle()
      }
    } catch (cause) {
      fail(cause)
    }
    sending = false
    arm()
  }

  /** Does what is due, or looks again when it is. Another tab may be the one that sends, and know nothing of this. */
  function arm(): void {
    clearTimeout(timer)
    // A page that is left gives the lock back with a request on its way: it would not get into the bfcache.
    if (sending && !away) return
    if (!wanted()) {
      yields()
      release?.()
      release = undefined
    } else if (waiting) {
      if (waitMs() <= 0) void (release ? work : nudge)()
    } else {
      waiting = new AbortController()
      lock(
        (held) =>
          new Promise((resolve) => {
            firm = held
            release = resolve
            arm()
          }),
        waiting.signal,
      )
        .catch(fail)
        .finally(() => {
          release = waiting = undefined
          yields()
          arm()
        })
    }
    if (waitMs() > 0 && due < Infinity && !away) timer = setTimeout(arm, waitMs())
  }

  function wake(afterMs: number): void {
    due = Math.min(due, elapsed() + afterMs)
    arm()
  }
  function look(): void {
    clean = 0
    wake(0)
  }

  return {
    _add(events, afterMs) {
      if (!queue._add(events, release && firm)) clean = 0
      wake(Math.max(afterMs, sentAt + SEND_AGAIN_AFTER_MS - elapsed()))
    },
    _look: look,
    _nudged() {
      // Two that wait for a third would otherwise ask each other, without end.
      if (release) look()
    },
    _back() {
      away = false
      notBefore = 0
      look()
    },
    _leaving(forGood) {
      const handle = release && clean > 1 && !flight && allowed() && facts._known.visitor
      const batch = handle && queue._take()
      // One that goes for good does not live to be answered: what it sent is sent again by the next, with the same id.
      if (batch)
        void (forGood ? post(batch, handle as string, 'later') : deliver(batch, handle as string, true))
      if (due < Infinity) {
        nudge()
        due = elapsed()
      }
      away ||= forGood
      if (away) waiting?.abort()
      arm()
    },
    _flush: () =>
      new Promise((resolve) => {
        if (elapsed() < notBefore || !allowed()) return resolve()
        waiters.add(resolve)
        setTimeout(resolve, ANSWER_WITHIN_MS)
        look()
        nudge()
      }),
    _settle: settle,
    _forget: () => {
      const own = queue._take()
      if (own) void parts._kept._put([[`b:${own.id}`]])
    },
    _close() {
      away = true
      waiting?.abort()
      arm()
    },
  }
}
