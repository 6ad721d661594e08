import type { Issue, Problem } from '@attune/core'
import * as v from 'valibot'
import { many, whole } from './fields.ts'
import { may, object, says } from './object.ts'

export const issue: v.GenericSchema<Issue> = object<Issue>({
  path: says(v.string(), 'Where it is in what was sent, as in code: `events[3].kind`'),
  code: v.string(),
  message: v.string(),
  expected: may(v.string()),
  received: may(v.string()),
})

export const problem: v.GenericSchema<Problem> = object<Problem>({
  type: v.string(),
  title: v.string(),
  status: whole(400, 599),
  code: says(v.string(), 'For machines; does not change within a version'),
  detail: says(v.string(), 'For people'),
  requestId: v.string(),
  issues: may(many(issue)),
})
