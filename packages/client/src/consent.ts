/**
 * - `granted`: events are kept on the device and sent.
 * - `pending`: events are held in this page's memory until the visitor has answered, and then sent or forgotten.
 * - `denied`: nothing is kept or sent. Lists are asked for without handle, token or events.
 */
export type Consent = 'granted' | 'pending' | 'denied'

/** Whether the browser says no for its user: Global Privacy Control, or Do Not Track. */
export function optedOut(): unknown {
  const browser = navigator as { globalPrivacyControl?: boolean; doNotTrack?: string | null }
  return browser.globalPrivacyControl || browser.doNotTrack === '1'
}
