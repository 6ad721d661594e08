import type { RankedItem, RankResponse } from '@attune/core'
import {
  createContext,
  createElement,
  Fragment,
  useCallback,
  useContext,
  useEffect,
  useLayoutEffect,
  useState,
  type ElementType,
  type ReactElement,
  type ReactNode,
} from 'react'
import type { Client, InnerClient } from './client.ts'
import type { RankCall, RankOptions } from './rank.ts'

/** Before the page is drawn; on the server there is no such moment, and React says so. */
const useBeforePaint = typeof document === 'undefined' ? useEffect : useLayoutEffect

const ClientContext = createContext<Client | undefined>(undefined)

export interface AttuneProviderProps {
  readonly client: Client
  readonly children?: ReactNode
}

/** Hands the client to the components inside. */
export function AttuneProvider({ client, children }: AttuneProviderProps): ReactElement {
  return createElement(ClientContext.Provider, { value: client }, children)
}

/** The client, or undefined outside an `AttuneProvider`. */
export function useAttune(): Client | undefined {
  return useContext(ClientContext)
}

export interface UseSlotOptions extends Omit<RankOptions, 'slot' | 'signal'> {
  /** Put these in order; without them the list comes out of the whole catalogue. */
  readonly candidates?: readonly string[]
  /** A list the server has asked for: shown from the first render on, and not asked for again. */
  readonly initial?: RankResponse
  /** Ask again after each action of the visitor. */
  readonly live?: boolean
}

export interface SlotState {
  /** Undefined until there is a list, and when there is none in time. */
  readonly list: RankResponse | undefined
  /** Asks again; the list stays until the newer one is there. */
  readonly refresh: () => void
}

const toCall = (slot: string, question: string): RankCall => ({
  ...(JSON.parse(question)[1] as Omit<UseSlotOptions, 'initial' | 'live'>),
  slot,
})

/**
 * The list of a slot. The first render, on the server and when hydrating, knows only `initial`, so both are equal.
 * Options are compared by what they contain.
 */
export function useSlot(name: string, { initial, live = false, ...options }: UseSlotOptions = {}): SlotState {
  const client = useAttune()
  const question = JSON.stringify([name, options])
  const [answered, setAnswered] = useState({ question, list: initial })
  const [round, setRound] = useState(0)
  const refresh = useCallback(() => setRound((before) => before + 1), [])

  useBeforePaint(() => {
    // Optional: a client of a page's tests, or of another version.
    const list = (client as InnerClient | undefined)?._rank?._recall?.(name, toCall(name, question))
    if (list !== undefined && initial === undefined) setAnswered({ question, list })
    // What `initial` holds now is about the first render only.
  }, [client, name, question])

  const shown = answered.question === question && answered.list !== undefined
  const known = shown && round === 0
  useEffect(() => {
    if (client === undefined || known) return undefined
    const controller = new AbortController()
    const { signal } = controller
    const { candidates, ...rest } = toCall(name, question)
    const asked = { ...rest, live, signal }
    const answer = candidates === undefined ? client.recommend(name, asked) : client.rank(candidates, asked)
    void answer.then((list) => {
      if (list !== undefined && !signal.aborted) setAnswered({ question, list })
    })
    // What is still on its way must not change a list when the page comes out of the back/forward cache.
    const leave = (): void => {
      if (shown) controller.abort()
    }
    addEventListener('pagehide', leave, { signal })
    return () => controller.abort()
    // `known` is about the first round only: a list that has come must not end the effect that asked for it.
  }, [client, live, name, question, round])

  useEffect(
    () =>
      // A decision about somebody who is forgotten would lead from their next handle back to the one before.
      client?.on('forgotten', () =>
        setAnswered((before) => ({ ...before, list: before.list && { ...before.list, decision: '' } })),
      ),
    [client],
  )

  useEffect(() => {
    if (client === undefined || !live) return undefined
    const stops = [
      client.on('queued', ({ event }) => {
        const { kind } = event
        // A view of the page that the visitor has come back to is nothing new.
        if (kind === 'view' && (client as InnerClient)._rank?._isBack?.()) return
        if (!/^(impression|search|custom:dwell)$/.test(kind)) refresh()
      }),
      client.on('reordered', ({ slot, items }) => {
        if (slot === name)
          setAnswered((before) => ({ ...before, list: before.list && { ...before.list, items } }))
      }),
    ]
    return () => stops.forEach((stop) => stop())
  }, [client, live, name, refresh])

  return { list: answered.question === question ? answered.list : undefined, refresh }
}

/** Spread on the element that shows an item, so that its clicks and impressions are told. */
export interface CardAttributes {
  readonly 'data-attune-item': string
  readonly 'data-attune-position': number
}

export interface SlotProps extends UseSlotOptions {
  readonly name: string
  /** Draws one item. */
  readonly children: (item: RankedItem, attributes: CardAttributes) => ReactNode
  /** The element around the cards. Default `div`. */
  readonly as?: ElementType
  readonly className?: string
  /** Shown while there is no list. Default: the candidates in the order given. */
  readonly fallback?: ReactNode
}

/**
 * A slot: candidates, or a list out of the catalogue, drawn by `children`. The server renders the page's own order (or
 * `initial`), and so does hydration; the list follows.
 */
export function Slot({
  name,
  children,
  as = 'div',
  className,
  fallback,
  ...options
}: SlotProps): ReactElement {
  const { list } = useSlot(name, options)
  const items: readonly RankedItem[] =
    list?.items ??
    (fallback === undefined ? (options.candidates ?? []).map((id) => ({ id, score: null })) : [])
  return createElement(
    as,
    { className, 'data-attune-slot': name, 'data-attune-decision': list?.decision },
    items.length === 0
      ? fallback
      : items.map((item, index) =>
          createElement(
            Fragment,
            { key: item.id },
            children(item, { 'data-attune-item': item.id, 'data-attune-position': index }),
          ),
        ),
  )
}
