import { batchesAndPatches } from './batches.ts'
import { errors } from './errors.ts'
import { feeds } from './feeds.ts'
import { items } from './items.ts'
import { queries } from './queries.ts'
import { resources } from './resources.ts'
import { sessions } from './sessions.ts'
import type { Check } from './world.ts'

export const checks: readonly Check[] = [
  ...resources,
  ...items,
  ...batchesAndPatches,
  ...queries,
  ...feeds,
  ...sessions,
  ...errors,
]
