import type { Client, ClientEvents } from '@attune/client'

type EventName = 'queued' | 'stored' | 'ranked'
export type Told = { [Name in EventName]: readonly [Name, ClientEvents[Name]] }[EventName]

/** `window.attune` as the script tag leaves it: an array until attune.js has loaded. */
interface Page {
  push(call: readonly [method: keyof Client, ...args: unknown[]]): unknown
}

declare global {
  interface Window {
    attune?: Page
    /** What the client told before this script had loaded. */
    early?: Told[] | undefined
  }
}

const early = window.early ?? []
window.early = undefined

/** Hears of everything the client does, from the start of the page. */
export function listen(told: (event: Told) => void): void {
  for (const event of early) told(event)
  for (const name of ['queued', 'stored', 'ranked'] as const) {
    window.attune?.push(['on', name, (detail: never) => told([name, detail])])
  }
}

export function track(kind: string, item: string, fields: { readonly value?: number } = {}): void {
  window.attune?.push(['track', kind, item, fields])
}
