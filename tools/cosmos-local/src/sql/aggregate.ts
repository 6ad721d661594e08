import { canonical, compareValues, type Value } from './values.ts'

export interface Accumulator {
  add(value: Value): void
  result(): Value
}

/** COUNT and its kin over the values of one group; undefined values never count. */
export function accumulator(name: string): Accumulator {
  switch (name) {
    case 'COUNT':
      return count((value) => value !== undefined)
    case 'COUNTIF':
      return count((value) => value === true)
    case 'SUM':
      return sum((total) => total)
    case 'AVG':
      return sum((total, values) => (values === 0 ? undefined : total / values))
    case 'MIN':
      return extreme(-1)
    case 'MAX':
      return extreme(1)
    default:
      return list(name === 'MAKESET')
  }
}

function count(counts: (value: Value) => boolean): Accumulator {
  let total = 0
  return {
    add: (value) => {
      if (counts(value)) total++
    },
    result: () => total,
  }
}

/** Undefined as soon as one value is defined and no number. */
function sum(finish: (total: number, values: number) => Value): Accumulator {
  let total = 0
  let values = 0
  let broken = false
  return {
    add: (value) => {
      if (value === undefined) return
      if (typeof value !== 'number') broken = true
      else {
        total += value
        values++
      }
    },
    result: () => (broken ? undefined : finish(total, values)),
  }
}

/** Only primitives compare; one array or object and the result is undefined. */
function extreme(direction: 1 | -1): Accumulator {
  let best: Value
  let broken = false
  return {
    add: (value) => {
      if (value === undefined) return
      if (typeof value === 'object' && value !== null) broken = true
      else if (best === undefined || compareValues(value, best) * direction > 0) best = value
    },
    result: () => (broken ? undefined : best),
  }
}

function list(distinct: boolean): Accumulator {
  const values: Exclude<Value, undefined>[] = []
  const seen = new Set<string>()
  return {
    add: (value) => {
      if (value === undefined) return
      if (distinct) {
        const name = canonical(value)
        if (seen.has(name)) return
        seen.add(name)
      }
      values.push(value)
    },
    result: () => values,
  }
}
