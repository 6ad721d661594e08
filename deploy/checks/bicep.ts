import { runScript } from './python.ts'

/** An expression, as far as the checks look into it. */
export type Expr =
  | {
      readonly kind: 'text'
      readonly value: string
      readonly exact: boolean
      readonly parts: readonly Expr[]
    }
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'null' }
  | { readonly kind: 'object'; readonly entries: readonly Entry[]; readonly line: number }
  | { readonly kind: 'array'; readonly items: readonly Expr[] }
  /** `test ? options[0] : options[1]` */
  | { readonly kind: 'either'; readonly test: Expr; readonly options: readonly [Expr, Expr] }
  /** `[for variables in over: body]` */
  | { readonly kind: 'each'; readonly variables: readonly string[]; readonly over: Expr; readonly body: Expr }
  /** `if (test) body`, of resources and modules */
  | { readonly kind: 'when'; readonly test: Expr; readonly body: Expr }
  | { readonly kind: 'lambda'; readonly variables: readonly string[]; readonly body: Expr }
  | { readonly kind: 'name'; readonly name: string; readonly line: number }
  | { readonly kind: 'member'; readonly of: Expr; readonly name: string; readonly line: number }
  | { readonly kind: 'call'; readonly callee: Expr; readonly args: readonly Expr[]; readonly line: number }
  | { readonly kind: 'other'; readonly parts: readonly Expr[] }

export interface Entry {
  /** Undefined when it is put together at deployment. */
  readonly key: string | undefined
  readonly keyParts: readonly Expr[]
  readonly value: Expr
  readonly line: number
}

export interface Param {
  readonly name: string
  /** `string`, `int`, `bool`, `object`, or `array` for every list. */
  readonly type: string
  readonly value: Expr | undefined
  readonly allowed: readonly string[] | undefined
  readonly secure: boolean
  readonly line: number
}

export interface Resource {
  readonly name: string
  /** `Microsoft.KeyVault/vaults@2024-11-01` */
  readonly type: string
  readonly existing: boolean
  readonly body: Expr
  readonly line: number
}

export interface Module {
  readonly name: string
  readonly path: string
  readonly body: Expr
  readonly line: number
}

export interface Named {
  readonly name: string
  readonly value: Expr
  readonly line: number
}

export interface BicepFile {
  readonly file: string
  readonly syntaxErrors: readonly { readonly line: number; readonly text: string }[]
  readonly params: readonly Param[]
  readonly vars: readonly Named[]
  readonly resources: readonly Resource[]
  readonly modules: readonly Module[]
  readonly outputs: readonly Named[]
}

interface Node {
  readonly type: string
  readonly line: number
  readonly children: readonly Node[]
  readonly field?: string
  readonly text?: string
  readonly existing?: boolean
}

/** Parses sources by name with tree-sitter-bicep. */
export async function parseBicep(
  interpreter: string,
  sources: Readonly<Record<string, string>>,
): Promise<BicepFile[]> {
  const answer = (await runScript(interpreter, 'bicep.py', sources)) as Record<
    string,
    { errors: { line: number; text: string }[]; tree: Node }
  >
  return Object.entries(answer).map(([file, { errors, tree }]) => toFile(file, errors, tree))
}

function toFile(file: string, syntaxErrors: BicepFile['syntaxErrors'], tree: Node): BicepFile {
  const params: Param[] = []
  const vars: Named[] = []
  const resources: Resource[] = []
  const modules: Module[] = []
  const outputs: Named[] = []
  let decorators: readonly Node[] = []
  for (const node of tree.children) {
    const [first, second, third] = node.children
    const name = first?.text ?? ''
    const { line } = node
    if (node.type === 'parameter_declaration') {
      const allowed = decorator(decorators, 'allowed')?.args[0]
      params.push({
        name,
        type: typeOf(second),
        value: third === undefined ? undefined : toExpr(third),
        allowed: allowed?.kind === 'array' ? allowed.items.flatMap(exactText) : undefined,
        secure: decorator(decorators, 'secure') !== undefined,
        line,
      })
    } else if (node.type === 'variable_declaration' && second !== undefined) {
      vars.push({ name, value: toExpr(second), line })
    } else if (node.type === 'resource_declaration' && second !== undefined && third !== undefined) {
      const type = exactText(toExpr(second))[0] ?? ''
      resources.push({ name, type, existing: node.existing === true, body: toExpr(third), line })
    } else if (node.type === 'module_declaration' && second !== undefined && third !== undefined) {
      modules.push({ name, path: exactText(toExpr(second))[0] ?? '', body: toExpr(third), line })
    } else if (node.type === 'output_declaration' && third !== undefined) {
      outputs.push({ name, value: toExpr(third), line })
    }
    decorators = node.type === 'decorators' ? node.children : []
  }
  return { file, syntaxErrors, params, vars, resources, modules, outputs }
}

function decorator(decorators: readonly Node[], name: string): (Expr & { kind: 'call' }) | undefined {
  for (const node of decorators) {
    const call = node.children[0] === undefined ? undefined : toExpr(node.children[0])
    if (call?.kind === 'call' && call.callee.kind === 'name' && call.callee.name === name) return call
  }
  return undefined
}

function typeOf(node: Node | undefined): string {
  const inner = node?.children[0]
  return inner?.type === 'array_type' ? 'array' : (inner?.text ?? inner?.type ?? 'any')
}

/** The text of a string that says everything itself; empty for any other expression. */
export function exactText(expr: Expr): readonly string[] {
  return expr.kind === 'text' && expr.exact ? [expr.value] : []
}

function toExpr(node: Node): Expr {
  const { children, line } = node
  const at = (index: number): Expr => {
    const child = children[index]
    return child === undefined ? { kind: 'other', parts: [] } : toExpr(child)
  }
  switch (node.type) {
    case 'string':
      return {
        kind: 'text',
        value: children
          .map(({ type, text = '' }) => (type === 'escape_sequence' ? text.slice(1) : text))
          .join(''),
        exact: !children.some(({ type }) => type === 'interpolation'),
        parts: children.flatMap((child) =>
          child.type === 'interpolation' ? child.children.map((inner) => toExpr(inner)) : [],
        ),
      }
    case 'number':
      return { kind: 'number', value: Number(node.text) }
    case 'boolean':
      return { kind: 'boolean', value: node.text === 'true' }
    case 'null':
      return { kind: 'null' }
    case 'object':
      return { kind: 'object', line, entries: children.map(toEntry) }
    case 'array':
      return { kind: 'array', items: children.map(toExpr) }
    case 'ternary_expression':
      return { kind: 'either', test: at(0), options: [at(1), at(2)] }
    case 'for_statement': {
      const head = children[0]
      const variables = (head?.children.length ? head.children : [head]).map((child) => child?.text ?? '')
      return { kind: 'each', variables, over: at(1), body: at(2) }
    }
    case 'if_statement':
      return { kind: 'when', test: at(0), body: at(1) }
    case 'lambda_expression': {
      const head = children[0]
      const variables = (head?.children.length ? head.children : [head]).map((child) => child?.text ?? '')
      return { kind: 'lambda', variables, body: at(1) }
    }
    case 'parenthesized_expression':
      return children.length === 1 ? at(0) : { kind: 'other', parts: children.map(toExpr) }
    case 'identifier':
      return { kind: 'name', name: node.text ?? '', line }
    case 'member_expression':
      return { kind: 'member', of: at(0), name: children[1]?.text ?? '', line }
    case 'call_expression':
      return { kind: 'call', callee: at(0), args: (children[1]?.children ?? []).map(toExpr), line }
    default:
      return { kind: 'other', parts: children.map(toExpr) }
  }
}

function toEntry(node: Node): Entry {
  const [key, value] = node.children
  const quoted = key?.type === 'string' ? toExpr(key) : undefined
  const text = quoted?.kind === 'text' && !quoted.exact ? undefined : quoted
  return {
    key: quoted === undefined ? key?.text : text?.kind === 'text' ? text.value : undefined,
    keyParts: quoted?.kind === 'text' ? quoted.parts : [],
    value: value === undefined ? { kind: 'other', parts: [] } : toExpr(value),
    line: node.line,
  }
}

/** A JSON value as an expression: what `loadJsonContent` puts in its place. */
export function fromJson(value: unknown): Expr {
  if (value === null) return { kind: 'null' }
  if (typeof value === 'string') return { kind: 'text', value, exact: true, parts: [] }
  if (typeof value === 'number') return { kind: 'number', value }
  if (typeof value === 'boolean') return { kind: 'boolean', value }
  if (Array.isArray(value)) return { kind: 'array', items: value.map(fromJson) }
  return {
    kind: 'object',
    line: 0,
    entries: Object.entries(value as Record<string, unknown>).map(([key, entry]) => ({
      key,
      keyParts: [],
      value: fromJson(entry),
      line: 0,
    })),
  }
}

/** Every expression inside this one, itself first. */
export function* walk(expr: Expr): Generator<Expr> {
  yield expr
  for (const part of partsOf(expr)) yield* walk(part)
}

export function partsOf(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case 'text':
    case 'other':
      return expr.parts
    case 'object':
      return expr.entries.flatMap(({ keyParts, value }) => [...keyParts, value])
    case 'array':
      return expr.items
    case 'either':
      return [expr.test, ...expr.options]
    case 'each':
      return [expr.over, expr.body]
    case 'when':
      return [expr.test, expr.body]
    case 'lambda':
      return [expr.body]
    case 'member':
      return [expr.of]
    case 'call':
      return [expr.callee, ...expr.args]
    default:
      return []
  }
}
