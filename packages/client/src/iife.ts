import { createClient, type Client, type Device } from './client.ts'
import type { Consent } from './consent.ts'

/** A call made before the script had loaded: `attune.push(['track', 'click', 'sku-1'])`. */
export type Call = readonly [method: keyof Client, ...args: unknown[]]

/** What holds calls until the script has loaded. */
export interface Calls extends Array<Call> {
  /** Put here by attune-back.js and attune-on-device.js. */
  device?: readonly Device[]
}

/** `window.attune`: an array before the script has loaded, the client afterwards; `push` works on both. */
export interface PageClient extends Client {
  push(...calls: readonly Call[]): void
}

declare global {
  interface Window {
    attune?: PageClient | Calls
  }
}

const script = (document.currentScript ??
  document.querySelector('script[data-endpoint][data-site]')) as HTMLScriptElement | null
const { endpoint, site, consent } = script?.dataset ?? {}
const before = window.attune

if (before === undefined || Array.isArray(before)) {
  if (endpoint === undefined || site === undefined) {
    console.warn('attune: no data-endpoint or data-site')
  } else {
    const client = createClient({
      endpoint,
      site,
      ...(consent && { consent: consent as Consent }),
      device: before?.device,
    })
    const push = (...calls: readonly Call[]): void => {
      for (const [method, ...args] of calls) {
        try {
          ;(client[method] as (...args: unknown[]) => unknown)(...args)
        } catch (cause) {
          console.warn(`attune: ${method}`, cause)
        }
      }
    }
    window.attune = { ...client, push }
    push(...(before ?? []))
    window.dispatchEvent(new Event('attune:ready'))
    // For developers: `?attune-debug` in the address of the page.
    if (location.search.includes('attune-debug')) void import(new URL('attune-debug.js', script?.src).href)
  }
}
