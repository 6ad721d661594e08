/**
 * - `granted`: events are kept on the device and sent.
 * - `pending`: events are held in this page's memory until the visitor has answered, and then sent or forgotten.
 * - `denied`: nothing is kept or sent. Lists are asked for without handle, token or events.
 */
export type Consent = 'granted' | 'pending' | 'denied'

/** Whether the browser says no for its user: Global Privacy Control, or Do Not Track. */
export function optedOut(): boolean {
  const { globalPrivacyControl, doNotTrack } = navigator as Navigator & {
    readonly globalPrivacyControl?: boolean
    readonly doNotTrack?: string | null
  }
  return !!globalPrivacyControl || doNotTrack === '1'
}
