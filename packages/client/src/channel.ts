import type { ClientEvents } from './emitter.ts'
import { attempt } from './store/attempt.ts'

/** What tabs of one site tell each other, and what comes with it. */
export interface Messages {
  nudge: undefined
  forget: undefined
  /** A page begins in a tab of this name. */
  tab: string
  stored: ClientEvents['stored']
}

export type Tell = <Type extends keyof Messages>(
  type: Type,
  ...detail: undefined extends Messages[Type] ? [] : [Messages[Type]]
) => void

export interface TabChannel {
  readonly _tell: Tell
  _open(): void
  /** An open channel can keep a page out of the back/forward cache. */
  _close(): void
}

/** Tabs work without it, only a little less promptly. */
export function createTabChannel(
  name: string,
  hear: { readonly [Type in keyof Messages]: (detail: Messages[Type]) => void },
): TabChannel {
  let channel: BroadcastChannel | undefined
  return {
    _open() {
      // Some browsers refuse it where they refuse storage.
      attempt(() => {
        if (channel) return
        channel = new BroadcastChannel(name)
        channel.addEventListener(
          'message',
          ({ data }: MessageEvent<{ type: keyof Messages; detail: never }>) =>
            // A tab with another version of this may say something else.
            hear[data.type]?.(data.detail),
        )
      })
    },
    _tell(type, detail?: unknown) {
      // A broadcast channel knows one origin only.
      // oxlint-disable-next-line unicorn/require-post-message-target-origin
      channel?.postMessage({ type, detail })
    },
    _close() {
      channel?.close()
      channel = undefined
    },
  }
}
