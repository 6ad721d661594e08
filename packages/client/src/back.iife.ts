import { onBack } from './back.ts'
import type { Calls } from './iife.ts'

// Before attune.js, both with `defer`.
const calls = (window.attune ??= []) as Calls
calls.device = [...(calls.device ?? []), onBack()]
