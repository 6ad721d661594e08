import type { Expression, Query } from './ast.ts'
import { isAggregate } from './ast.ts'
import { SqlError } from './error.ts'
import { builtIn } from './functions/all.ts'
import { finite } from './functions/define.ts'
import { likePattern } from './like.ts'
import type { Evaluate, Scope } from './runtime.ts'
import { equals, equalValues, relation, type Value } from './values.ts'
import type { Json, JsonObject } from '../json.ts'

/** What compiling an expression needs from the query around it. */
export interface Context {
  readonly scope: Scope
  /** Where the result of an aggregate will be; undefined where aggregates may not stand. */
  readonly aggregate: ((name: string, argument: Evaluate) => number) | undefined
  readonly subquery: (query: Query, how: 'scalar' | 'exists' | 'array', scope: Scope) => Evaluate
}

export function compile(expression: Expression, context: Context): Evaluate {
  const inner = (one: Expression): Evaluate => compile(one, context)
  switch (expression.kind) {
    case 'literal': {
      const { value } = expression
      return () => value
    }
    case 'parameter': {
      const { name } = expression
      return (runtime) => runtime.parameters.get(name)
    }
    case 'name': {
      const slot = context.scope.find(expression.name)
      if (slot === undefined) {
        throw new SqlError(
          'SC2001',
          `Identifier '${expression.name}' could not be resolved.`,
          expression.start,
          expression.end,
        )
      }
      return (runtime) => runtime.slots[slot]
    }
    case 'member':
      return member(expression, inner)
    case 'array': {
      const items = expression.items.map(inner)
      return (runtime) => {
        const values: Json[] = []
        for (const item of items) {
          const value = item(runtime)
          if (value !== undefined) values.push(value)
        }
        return values
      }
    }
    case 'object': {
      const properties = expression.properties.map(({ name, value }) => ({ name, value: inner(value) }))
      return (runtime) => {
        const object: JsonObject = {}
        for (const property of properties) {
          const value = property.value(runtime)
          if (value !== undefined) set(object, property.name, value)
        }
        return object
      }
    }
    case 'unary':
      return unary(expression.operator, inner(expression.operand))
    case 'binary':
      return binary(expression.operator, inner(expression.left), inner(expression.right))
    case 'conditional': {
      const [test, yes, no] = [inner(expression.test), inner(expression.yes), inner(expression.no)]
      return (runtime) => (test(runtime) === true ? yes(runtime) : no(runtime))
    }
    case 'between': {
      const [value, low, high] = [inner(expression.value), inner(expression.low), inner(expression.high)]
      return (runtime) => {
        const one = value(runtime)
        const fromLow = relation(one, low(runtime))
        const toHigh = relation(one, high(runtime))
        return fromLow === undefined || toHigh === undefined ? undefined : fromLow >= 0 && toHigh <= 0
      }
    }
    case 'in': {
      const value = inner(expression.value)
      const list = expression.list.map(inner)
      return (runtime) => {
        const one = value(runtime)
        if (one === undefined) return undefined
        return list.some((other) => equalValues(one, other(runtime)))
      }
    }
    case 'like': {
      const [value, pattern] = [inner(expression.value), inner(expression.pattern)]
      const { escape } = expression
      return (runtime) => {
        const one = value(runtime)
        const like = pattern(runtime)
        if (typeof one !== 'string' || typeof like !== 'string') return undefined
        return likePattern(like, escape).test(one)
      }
    }
    case 'call':
      return call(expression, context, inner)
    case 'subquery':
      return context.subquery(expression.query, expression.how, context.scope)
  }
}

/** Sets an own property, `__proto__` included. */
export function set(object: JsonObject, name: string, value: Json): void {
  if (name === '__proto__') {
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true })
  } else object[name] = value
}

function member(expression: Expression & { kind: 'member' }, inner: (one: Expression) => Evaluate): Evaluate {
  const of = inner(expression.of)
  const { property } = expression
  if (property.kind === 'literal' && typeof property.value === 'string') {
    const name = property.value
    return (runtime) => {
      const value = of(runtime)
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
      return Object.hasOwn(value, name) ? value[name] : undefined
    }
  }
  const index = inner(property)
  return (runtime) => {
    const value = of(runtime)
    const at = index(runtime)
    if (Array.isArray(value)) return typeof at === 'number' ? value[at] : undefined
    if (typeof value !== 'object' || value === null || typeof at !== 'string') return undefined
    return Object.hasOwn(value, at) ? value[at] : undefined
  }
}

function unary(operator: string, operand: Evaluate): Evaluate {
  if (operator === 'NOT') {
    return (runtime) => {
      const value = operand(runtime)
      return typeof value === 'boolean' ? !value : undefined
    }
  }
  const apply = operator === '-' ? (x: number) => -x : operator === '~' ? (x: number) => ~x : (x: number) => x
  return (runtime) => {
    const value = operand(runtime)
    return typeof value === 'number' ? apply(value) : undefined
  }
}

const ARITHMETIC: Readonly<Record<string, (a: number, b: number) => Value>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  '/': (a, b) => a / b,
  '%': (a, b) => a % b,
  '&': (a, b) => a & b,
  '|': (a, b) => a | b,
  '^': (a, b) => a ^ b,
  '<<': (a, b) => a << b,
  '>>': (a, b) => a >> b,
  '>>>': (a, b) => a >>> b,
}

const RELATIONS: Readonly<Record<string, (order: number) => boolean>> = {
  '<': (order) => order < 0,
  '<=': (order) => order <= 0,
  '>': (order) => order > 0,
  '>=': (order) => order >= 0,
}

function binary(operator: string, left: Evaluate, right: Evaluate): Evaluate {
  switch (operator) {
    case 'AND':
      return (runtime) => {
        const a = left(runtime)
        if (a === false) return false
        const b = right(runtime)
        if (b === false) return false
        return a === true && b === true ? true : undefined
      }
    case 'OR':
      return (runtime) => {
        const a = left(runtime)
        if (a === true) return true
        const b = right(runtime)
        if (b === true) return true
        return a === false && b === false ? false : undefined
      }
    case '=':
      return (runtime) => equals(left(runtime), right(runtime))
    case '!=':
      return (runtime) => {
        const same = equals(left(runtime), right(runtime))
        return same === undefined ? undefined : !same
      }
    case '??':
      return (runtime) => {
        const a = left(runtime)
        return a === undefined ? right(runtime) : a
      }
    case '||':
      return (runtime) => {
        const a = left(runtime)
        const b = right(runtime)
        return typeof a === 'string' && typeof b === 'string' ? a + b : undefined
      }
  }
  const holds = RELATIONS[operator]
  if (holds !== undefined) {
    return (runtime) => {
      const order = relation(left(runtime), right(runtime))
      return order === undefined ? undefined : holds(order)
    }
  }
  const apply = ARITHMETIC[operator]
  if (apply === undefined) throw new Error(`operator ${operator} has no meaning`)
  return (runtime) => {
    const a = left(runtime)
    const b = right(runtime)
    return typeof a === 'number' && typeof b === 'number' ? finite(apply(a, b)) : undefined
  }
}

function call(
  expression: Expression & { kind: 'call' },
  context: Context,
  inner: (one: Expression) => Evaluate,
): Evaluate {
  const { name, start, end } = expression
  if (expression.udf) {
    throw new SqlError('SC2005', `User defined function 'udf.${name}' is not supported here.`, start, end)
  }
  if (isAggregate(expression)) {
    const argument = expression.arguments[0]
    if (expression.arguments.length !== 1 || argument === undefined) {
      throw new SqlError('SC2051', `The ${name.toUpperCase()} function requires 1 argument(s).`, start, end)
    }
    if (context.aggregate === undefined) {
      throw new SqlError(
        'SC2103',
        `Aggregate function '${name.toUpperCase()}' cannot be used here.`,
        start,
        end,
      )
    }
    const slot = context.aggregate(
      name.toUpperCase(),
      compile(argument, { ...context, aggregate: undefined }),
    )
    return (runtime) => runtime.slots[slot]
  }
  const found = builtIn(name)
  if (found === undefined) {
    throw new SqlError('SC2005', `'${name}' is not a recognized built-in function name.`, start, end)
  }
  const given = expression.arguments.map(inner)
  if (given.length < found.min || given.length > found.max) {
    const wanted = found.min === found.max ? String(found.min) : `${found.min} to ${found.max}`
    throw new SqlError(
      'SC2050',
      `The ${name.toUpperCase()} function requires ${wanted} argument(s).`,
      start,
      end,
    )
  }
  const apply = found.call
  return (runtime) =>
    apply(
      given.map((one) => one(runtime)),
      runtime,
    )
}
