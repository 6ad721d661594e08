import type { VisitorResponse } from '@attune/core'
import type { Answer, Post } from './http.ts'
import type { QueueStore } from './store/queue-store.ts'

export interface VisitorHandle {
  /** The handle as far as this page knows, without asking anybody. */
  known(): string | undefined
  /** The handle kept on this device, if there is one. */
  read(): Promise<string | undefined>
  /** The handle; asks the edge for one when there is none. Call it under the tabs' lock: one visitor, one handle. */
  obtain(): Promise<string | Answer>
  /** The edge refuses this handle: the next `obtain` asks for another. */
  discard(): Promise<void>
}

/** Pseudonymous handle, asked for when the first event is sent and not before: a visitor who does nothing has none. */
export function createVisitorHandle(store: QueueStore, post: Post): VisitorHandle {
  let handle: string | undefined
  const read = async (): Promise<string | undefined> => {
    const kept = await store.get('visitor')
    handle = typeof kept === 'string' ? kept : undefined
    return handle
  }
  return {
    known: () => handle,
    read,
    async obtain() {
      const kept = await read()
      if (kept !== undefined) return kept
      const answer = await post('visitors', {}, { keepalive: true })
      const visitor =
        answer.status === 201 ? (answer.body as VisitorResponse | undefined)?.visitor : undefined
      if (typeof visitor !== 'string') return answer
      handle = (await store.update('visitor', () => visitor)) as string
      return handle
    },
    async discard() {
      handle = undefined
      await store.update('visitor', () => undefined)
    },
  }
}
