import type { ClientEvents } from './emitter.ts'
import { attempt } from './store/attempt.ts'

/** What tabs of one site tell each other. */
export type Message =
  | { readonly type: 'send-now' }
  | { readonly type: 'forget' }
  /** A page begins in a tab of this name. */
  | { readonly type: 'tab'; readonly detail: string }
  | { readonly type: 'stored'; readonly detail: ClientEvents['stored'] }

export interface TabChannel {
  _tell(message: Message): void
  _open(): void
  /** An open channel can keep a page out of the back/forward cache. */
  _close(): void
}

/** Tabs work without it, only a little less promptly. */
export function createTabChannel(name: string, hear: (message: Message) => void): TabChannel {
  let channel: BroadcastChannel | undefined
  return {
    _open() {
      // Some browsers refuse it where they refuse storage.
      attempt(() => {
        if (channel) return
        channel = new BroadcastChannel(name)
        channel.addEventListener('message', ({ data }: MessageEvent<Message>) => hear(data))
      })
    },
    _tell(message) {
      // A broadcast channel knows one origin only.
      // oxlint-disable-next-line unicorn/require-post-message-target-origin
      channel?.postMessage(message)
    },
    _close() {
      channel?.close()
      channel = undefined
    },
  }
}
