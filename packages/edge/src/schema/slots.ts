import type { Issue } from '@attune/core'
import { parseExpression, parseRules, RulesError, type Expression, type SlotRules } from '@attune/core/rules'
import * as v from 'valibot'
import { text } from './fields.ts'
import { object, says } from './object.ts'

/** Rules are read by core's own parser; the documentation shows an object and says where its fields are described. */
const anyObject = v.looseObject({})

export const expression: v.GenericSchema<Expression> = v.pipe(
  anyObject,
  v.check((value) => {
    const issues: Issue[] = []
    parseExpression(value, 'filter', issues)
    return issues.length === 0
  }, 'an expression like {"attr":"price","lt":50}'),
) as unknown as v.GenericSchema<Expression>

export const slotRules: v.GenericSchema<SlotRules> = v.pipe(
  anyObject,
  v.check((value) => {
    try {
      parseRules(value)
      return true
    } catch (error) {
      if (error instanceof RulesError) return false
      throw error
    }
  }, 'rules: docs/wire-protocol.md, Slots'),
) as unknown as v.GenericSchema<SlotRules>

export interface SlotResponse {
  readonly site: string
  readonly slot: string
  readonly rules: SlotRules
}

export const slotResponse: v.GenericSchema<SlotResponse> = object<SlotResponse>({
  site: text(40),
  slot: says(text(100), 'The place on the page'),
  rules: slotRules,
})

export interface DeletedSlotResponse {
  readonly site: string
  readonly slot: string
  readonly deleted: boolean
}

export const deletedSlotResponse: v.GenericSchema<DeletedSlotResponse> = object<DeletedSlotResponse>({
  site: text(40),
  slot: text(100),
  deleted: says(v.boolean(), 'false: there were none'),
})
