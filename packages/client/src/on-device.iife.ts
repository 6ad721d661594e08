import type { Calls } from './iife.ts'
import { onDevice } from './on-device.ts'

// Before attune.js, both with `defer`. Right in front of the edge, behind attune-back.js.
const calls = (window.attune ??= []) as Calls
calls.device = [onDevice(), ...(calls.device ?? [])]
