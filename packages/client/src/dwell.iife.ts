import { trackDwell } from './dwell.ts'
import type { Call, PageClient } from './iife.ts'

// Before attune.js or after it: calls are held until the client is there.
const calls = (window.attune ??= []) as Pick<PageClient, 'push'>
trackDwell({
  use(plugin) {
    calls.push(['use', plugin])
    return () => {}
  },
  track(...call) {
    ;(window.attune as Pick<PageClient, 'push'>).push(['track', ...call] as Call)
    return undefined
  },
})
