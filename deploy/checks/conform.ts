import { fromJson, type BicepFile, type Entry, type Expr } from './bicep.ts'
import { parseType, withoutMarks, type ObjectSchema, type ParsedType, type ResourceSchema } from './schema.ts'

export interface Finding {
  readonly file: string
  readonly line: number
  readonly message: string
}

/** What names stand for inside a loop: each value its variable takes, where that is known. */
export type Scope = ReadonlyMap<string, readonly Expr[]>

/** What the checks know besides a file's own text. */
export interface Known {
  /** Contents of files that `loadJsonContent` names. */
  readonly json: Readonly<Record<string, unknown>>
}

/** Keys that Bicep adds to every resource. */
const BICEP_KEYS = new Set(['parent', 'scope', 'dependsOn'])

/** Words of a service that its own schema's list of known ones leaves out. */
const FURTHER_WORDS = new Set([
  // learn.microsoft.com, "Azure Monitor managed service for Prometheus", its template for AKS
  'Microsoft-PrometheusMetrics',
])

/** Calls that give text, whatever their arguments are. */
const TEXT_CALLS = new Set([
  'uniqueString',
  'guid',
  'subscriptionResourceId',
  'toLower',
  'join',
  'loadTextContent',
])

/** Holds a resource's body against its schema: names, required ones, types and known values, as deep as they are written. */
export function conformResource(
  file: BicepFile,
  body: Expr,
  schema: ResourceSchema,
  known: Known,
  where: string,
): Finding[] {
  const findings: Finding[] = []
  const checker = new Checker(file, schema, known, findings)
  for (const { expr, scope } of bodies(body, new Map(), checker)) {
    if (expr.kind !== 'object') continue
    const own = {
      ...expr,
      entries: expr.entries.filter(({ key }) => key === undefined || !BICEP_KEYS.has(key)),
    }
    checker.object(own, schema.body, where, expr.line, scope)
  }
  return findings
}

/** A body without its loop and condition; once per item where the list is known. */
function* bodies(expr: Expr, scope: Scope, checker: Checker): Generator<{ expr: Expr; scope: Scope }> {
  if (expr.kind === 'when') yield* bodies(expr.body, scope, checker)
  else if (expr.kind === 'each') {
    for (const inner of checker.scopes(expr, scope)) yield* bodies(expr.body, inner, checker)
  } else yield { expr, scope }
}

class Checker {
  readonly #file: BicepFile
  readonly #schema: ResourceSchema
  readonly #known: Known
  readonly #findings: Finding[]

  constructor(file: BicepFile, schema: ResourceSchema, known: Known, findings: Finding[]) {
    this.#file = file
    this.#schema = schema
    this.#known = known
    this.#findings = findings
  }

  /** Scopes of a loop's body: one per item of a list that is known, else one in which the variables say nothing. */
  scopes(loop: Expr & { kind: 'each' }, scope: Scope): Scope[] {
    const [variable = ''] = loop.variables
    const lists = this.#resolve(loop.over, scope)
    const items = lists.flatMap((list) => (list.kind === 'array' ? list.items : []))
    if (lists.length === 0 || items.length === 0) return [new Map([...scope, [variable, []]])]
    return items.map((item) => new Map([...scope, [variable, [item]]]))
  }

  object(
    expr: Expr & { kind: 'object' },
    schema: ObjectSchema,
    path: string,
    line: number,
    scope: Scope,
  ): void {
    const props = { ...schema.props, ...this.#case(expr, schema, path, line, scope) }
    const given = new Set<string>()
    for (const entry of expr.entries) {
      if (entry.key !== undefined) given.add(entry.key)
      this.#entry(entry, props, schema.rest, path, entry.line || line, scope)
    }
    // Keys put together at deployment may be any of them.
    if (expr.entries.some(({ key }) => key === undefined)) return
    for (const [name, property] of Object.entries(props)) {
      if (property.startsWith('!') && !given.has(name))
        this.#find(line, `${path}.${name}: required, and missing`)
    }
  }

  #case(
    expr: Expr & { kind: 'object' },
    schema: ObjectSchema,
    path: string,
    line: number,
    scope: Scope,
  ): Readonly<Record<string, string>> {
    if (schema.by === undefined || schema.cases === undefined) return {}
    const chosen = expr.entries.find(({ key }) => key === schema.by)
    const [value] = chosen === undefined ? [] : this.#resolve(chosen.value, scope)
    const found = value?.kind === 'text' && value.exact ? schema.cases[value.value] : undefined
    if (found === undefined)
      this.#find(line, `${path}.${schema.by}: expected one of ${Object.keys(schema.cases).join(', ')}`)
    return found ?? {}
  }

  #entry(
    entry: Entry,
    props: Readonly<Record<string, string>>,
    rest: string | undefined,
    path: string,
    line: number,
    scope: Scope,
  ): void {
    const { key, value } = entry
    const property = key === undefined ? rest : Object.hasOwn(props, key) ? props[key] : rest
    const name = `${path}.${key ?? '*'}`
    if (property === undefined) this.#find(line, `${name}: no such property in ${this.#schema.resource}`)
    else if (property.startsWith('-')) this.#find(line, `${name}: only Azure writes it`)
    else if (value.kind === 'null' && property.startsWith('!'))
      this.#find(line, `${name}: required, and null`)
    else if (value.kind !== 'null') this.#value(value, parseType(withoutMarks(property)), name, line, scope)
  }

  #value(expr: Expr, type: ParsedType, path: string, line: number, scope: Scope): void {
    if (expr.kind === 'each') {
      const item = type.kind === 'list' ? type.of : undefined
      if (item === undefined) this.#find(line, `${path}: expected ${show(type)}, received a list`)
      else
        for (const inner of this.scopes(expr, scope)) this.#value(expr.body, item, `${path}[]`, line, inner)
      return
    }
    for (const value of this.#resolve(expr, scope)) this.#resolved(value, type, path, line, scope)
  }

  #resolved(expr: Expr, type: ParsedType, path: string, line: number, scope: Scope): void {
    if (expr.kind === 'null') return
    if (type.kind === 'primitive' && type.name === 'any') return
    if (type.kind === 'union') this.#union(expr, type.of, path, line, scope)
    else if (expr.kind === 'array' && type.kind === 'list') {
      for (const [index, item] of expr.items.entries())
        this.#value(item, type.of, `${path}[${index}]`, line, scope)
    } else if (expr.kind === 'object' && type.kind === 'named') {
      const schema = this.#schema.types[type.name]
      if (schema !== undefined) this.object(expr, schema, path, expr.line || line, scope)
    } else if (!fits(expr, type)) {
      this.#find(line, `${path}: expected ${show(type)}, received ${describe(expr)}`)
    }
  }

  /** Where a schema says `'a' | 'b' | string`, the known values are meant: a service's own word is one of them. */
  #union(expr: Expr, options: readonly ParsedType[], path: string, line: number, scope: Scope): void {
    const literals = options.flatMap((option) => (option.kind === 'literal' ? [option.value] : []))
    if (expr.kind === 'text') {
      if (expr.exact && literals.length > 0 && ![...literals, ...FURTHER_WORDS].includes(expr.value))
        this.#find(line, `${path}: expected one of ${literals.join(', ')}, received ${expr.value}`)
      return
    }
    const fitting = options.find((option) => fits(expr, option))
    if (fitting === undefined)
      this.#find(line, `${path}: expected ${options.map(show).join(' or ')}, received ${describe(expr)}`)
    else if (fitting.kind !== 'literal') this.#resolved(expr, fitting, path, line, scope)
  }

  /** What an expression may stand for; empty when only the deployment knows. */
  #resolve(expr: Expr, scope: Scope): readonly Expr[] {
    switch (expr.kind) {
      case 'name':
        return this.#name(expr.name, scope)
      case 'either':
        return expr.options.flatMap((option) => this.#resolve(option, scope))
      case 'member': {
        const owners = this.#resolve(expr.of, scope)
        return owners.flatMap((owner) => {
          const entry =
            owner.kind === 'object' ? owner.entries.find(({ key }) => key === expr.name) : undefined
          return entry === undefined ? [] : this.#resolve(entry.value, scope)
        })
      }
      case 'call':
        return this.#call(expr, scope)
      case 'other':
      case 'lambda':
      case 'when':
      case 'each':
        return []
      default:
        return [expr]
    }
  }

  #name(name: string, scope: Scope): readonly Expr[] {
    const bound = scope.get(name)
    if (bound !== undefined) return bound
    const variable = this.#file.vars.find((entry) => entry.name === name)
    if (variable !== undefined) return this.#resolve(variable.value, scope)
    const param = this.#file.params.find((entry) => entry.name === name)
    if (param?.allowed !== undefined)
      return param.allowed.map((value) => ({ kind: 'text', value, exact: true, parts: [] }))
    return placeholder(param?.type)
  }

  #call(expr: Expr & { kind: 'call' }, scope: Scope): readonly Expr[] {
    const name = expr.callee.kind === 'name' ? expr.callee.name : ''
    if (name === 'loadJsonContent') {
      const [path] = expr.args
      const content = path?.kind === 'text' ? this.#known.json[path.value] : undefined
      return content === undefined ? [] : [fromJson(content)]
    }
    if (name === 'concat') {
      const items = expr.args.flatMap((arg) => {
        const body =
          arg.kind === 'name' ? this.#file.vars.find((entry) => entry.name === arg.name)?.value : arg
        if (body?.kind === 'each') return this.scopes(body, scope).length > 0 ? [body.body] : []
        return this.#resolve(arg, scope).flatMap((list) => (list.kind === 'array' ? list.items : []))
      })
      return [{ kind: 'array', items }]
    }
    return TEXT_CALLS.has(name) ? placeholder('string') : []
  }

  #find(line: number, message: string): void {
    this.#findings.push({ file: this.#file.file, line, message })
  }
}

/** A value of a type, of which nothing more is known. */
function placeholder(type: string | undefined): readonly Expr[] {
  if (type === 'string') return [{ kind: 'text', value: '', exact: false, parts: [] }]
  if (type === 'int') return [{ kind: 'number', value: 0 }]
  return type === 'bool' ? [{ kind: 'boolean', value: false }] : []
}

function fits(expr: Expr, type: ParsedType): boolean {
  switch (expr.kind) {
    case 'text':
      return type.kind === 'literal'
        ? !expr.exact || type.value === expr.value
        : type.kind === 'primitive' && type.name === 'string'
    case 'number':
      return type.kind === 'primitive' && type.name === 'int'
    case 'boolean':
      return type.kind === 'primitive' && type.name === 'bool'
    case 'array':
      return type.kind === 'list'
    case 'object':
      return type.kind === 'named' || (type.kind === 'primitive' && type.name === 'object')
    default:
      return true
  }
}

function show(type: ParsedType): string {
  if (type.kind === 'list') return `a list of ${show(type.of)}`
  if (type.kind === 'union') return type.of.map(show).join(' or ')
  return type.kind === 'literal' ? type.value : type.name
}

function describe(expr: Expr): string {
  if (expr.kind === 'text') return expr.exact ? `the text ${expr.value}` : 'a text'
  return expr.kind === 'number' || expr.kind === 'boolean' ? String(expr.value) : `an ${expr.kind}`
}
