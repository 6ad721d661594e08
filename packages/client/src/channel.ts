import type { ClientEvents } from './emitter.ts'

/** What tabs of one site tell each other. */
export type Message =
  | { readonly type: 'send-now' }
  | { readonly type: 'forget' }
  | { readonly type: 'stored'; readonly detail: ClientEvents['stored'] }

export interface TabChannel {
  tell(message: Message): void
  open(): void
  /** An open channel can keep a page out of the back/forward cache. */
  close(): void
}

/** Tabs work without it, only a little less promptly. */
export function createTabChannel(name: string, hear: (message: Message) => void): TabChannel {
  let channel: BroadcastChannel | undefined
  const open = (): void => {
    if (channel !== undefined || typeof document === 'undefined' || typeof BroadcastChannel === 'undefined')
      return
    channel = new BroadcastChannel(name)
    channel.addEventListener('message', (event: MessageEvent<Message>) => hear(event.data))
  }
  return {
    open,
    tell(message) {
      // A broadcast channel knows one origin only.
      // oxlint-disable-next-line unicorn/require-post-message-target-origin
      channel?.postMessage(message)
    },
    close() {
      channel?.close()
      channel = undefined
    },
  }
}
