import type { Client } from './client.ts'
import { openDebug } from './debug.ts'

// By itself after attune.js, or before it: `?attune-debug` in the page's address makes attune.js load it.
const start = (): void => {
  if (window.attune && !Array.isArray(window.attune)) openDebug(window.attune as Client)
}
if (Array.isArray(window.attune ?? [])) addEventListener('attune:ready', start, { once: true })
else start()
