import { MAX_ITEM_ID_LENGTH, MAX_ATTRIBUTE_NAME_LENGTH, STRATEGIES } from '@attune/core'
import {
  MAX_BOOST,
  MAX_BOOSTS,
  MAX_PER_RULES,
  MAX_PIN_POSITION,
  MAX_PINS,
  MAX_RULE_EXCLUDED,
  parseRules,
  RulesError,
  type Boost,
  type Exploration,
  type MaxPer,
  type Pin,
  type SlotRules,
} from '@attune/core/rules'
import * as v from 'valibot'
import { expression } from './expression.ts'
import { flag, list, oneOf, text, whole } from './fields.ts'
import { may, object, says, strict } from './object.ts'

// Describes; core's parser is what rules go through, and says of each mistake where it is. A property test holds the two
// together.

const item = text(MAX_ITEM_ID_LENGTH)

function within(min: number, max: number): v.GenericSchema<number> {
  const expected = `a number from ${min} to ${max}`
  return v.pipe(v.number(expected), v.minValue(min, expected), v.maxValue(max, expected))
}

const exploration: v.GenericSchema<Exploration> = v.union([
  strict<{ epsilon: number }>({
    epsilon: says(within(0, 1), 'At each place, with this probability, any of the pool'),
  }),
  strict<{ temperature: number }>({
    temperature: says(within(1e-3, 1e3), 'At each place one of the pool by exp(score / temperature)'),
  }),
])

/** Without what one field cannot know of the others of its list. */
export const ruleFields: v.GenericSchema<SlotRules> = strict<SlotRules>({
  strategy: may(says(oneOf(STRATEGIES), 'For requests that name none')),
  filter: may(says(expression, 'What it is not true of is not in the list')),
  boosts: may(list(strict<Boost>({ when: expression, add: within(-MAX_BOOST, MAX_BOOST) }), MAX_BOOSTS)),
  pins: may(
    says(
      list(strict<Pin>({ item, position: whole(0, MAX_PIN_POSITION) }), MAX_PINS),
      'Each item and each position once',
    ),
  ),
  exclude: may(list(item, MAX_RULE_EXCLUDED)),
  maxPer: may(
    says(
      list(strict<MaxPer>({ attr: text(MAX_ATTRIBUTE_NAME_LENGTH), k: whole(1, 200) }), MAX_PER_RULES),
      'At most k items with one value of an attribute',
    ),
  ),
  minStock: may(says(within(0, 1e12), 'Items whose `stock` is less are left out')),
  diversity: may(
    strict<{ lambda: number }>({
      lambda: says(within(0, 1), '1: only the score; 0: only what is unlike what stands above'),
    }),
  ),
  explore: may(exploration),
  fill: may(says(flag, 'false: `recent` and `bought-together` stay as short as they are')),
})

export const slotRules: v.GenericSchema<SlotRules> = v.pipe(
  ruleFields,
  v.check((value) => {
    try {
      parseRules(value)
      return true
    } catch (error) {
      if (error instanceof RulesError) return false
      throw error
    }
  }, 'rules: docs/wire-protocol.md, Slots'),
)

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
