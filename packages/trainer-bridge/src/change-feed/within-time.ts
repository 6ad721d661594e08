import { ChangeFeedError } from './error.ts'
import { sleep } from './sleep.ts'

/**
 * The answer, `undefined` when the signal fires first, or an error when neither comes in time: the SDK tries a broken
 * connection again for two minutes, silently, and cannot be told to stop.
 *
 * @throws {ChangeFeedError} `FEED_TIMEOUT`
 */
export async function withinTime<T>(
  what: string,
  answer: Promise<T>,
  ms: number,
  signal: AbortSignal,
): Promise<T | undefined> {
  const waiting = new AbortController()
  const stop = () => {
    waiting.abort()
  }
  signal.addEventListener('abort', stop)
  // Whoever loses the race may still fail later, which nobody waits for.
  answer.catch(() => undefined)
  try {
    return await Promise.race([
      answer,
      sleep(ms, waiting.signal).then(() => {
        if (signal.aborted) return undefined
        throw new ChangeFeedError('FEED_TIMEOUT', `${what}: no answer within ${ms} ms`)
      }),
    ])
  } finally {
    stop()
    signal.removeEventListener('abort', stop)
  }
}
