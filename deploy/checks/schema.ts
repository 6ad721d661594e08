/**
 * What is kept of a resource type's schema. A property is one string: its type, `!` in front when it is required, `-` in
 * front when only Azure writes it. A type is `string`, `int`, `bool`, `any`, `object`, `null`, the name of one of
 * `types`, a literal in single quotes, a union `a | b`, or a list `(a | b)[]`.
 */
export interface ResourceSchema {
  /** `Microsoft.KeyVault/vaults@2024-11-01` */
  readonly resource: string
  readonly scope: string
  /** Where it was taken. */
  readonly source: string
  readonly body: ObjectSchema
  readonly types: Readonly<Record<string, ObjectSchema>>
}

export interface ObjectSchema {
  readonly props: Readonly<Record<string, string>>
  /** Type of properties that are not listed; absent: there are none. */
  readonly rest?: string
  /** Property that selects one of `cases`, whose properties come on top of `props`. */
  readonly by?: string
  readonly cases?: Readonly<Record<string, Readonly<Record<string, string>>>>
}

export type ParsedType =
  | { readonly kind: 'primitive'; readonly name: string }
  | { readonly kind: 'named'; readonly name: string }
  | { readonly kind: 'literal'; readonly value: string }
  | { readonly kind: 'list'; readonly of: ParsedType }
  | { readonly kind: 'union'; readonly of: readonly ParsedType[] }

const PRIMITIVES = new Set(['string', 'int', 'bool', 'any', 'object', 'null'])

/** `('http' | 'https')[]` → a tree. */
export function parseType(text: string): ParsedType {
  const trimmed = text.trim()
  const options = splitUnion(trimmed)
  if (options.length > 1) return { kind: 'union', of: options.map(parseType) }
  if (trimmed.endsWith('[]')) return { kind: 'list', of: parseType(unwrap(trimmed.slice(0, -2))) }
  if (trimmed.startsWith("'")) return { kind: 'literal', value: trimmed.slice(1, -1) }
  return PRIMITIVES.has(trimmed) ? { kind: 'primitive', name: trimmed } : { kind: 'named', name: trimmed }
}

/** Names of types that a type mentions. */
export function namesIn(type: ParsedType): readonly string[] {
  if (type.kind === 'named') return [type.name]
  if (type.kind === 'list') return namesIn(type.of)
  return type.kind === 'union' ? type.of.flatMap(namesIn) : []
}

export function withoutMarks(property: string): string {
  return property.replace(/^[!-]+/, '')
}

function splitUnion(text: string): string[] {
  const parts: string[] = []
  let depth = 0
  let quoted = false
  let from = 0
  for (let index = 0; index < text.length; index++) {
    const char = text[index]
    if (char === "'") quoted = !quoted
    else if (quoted) continue
    else if (char === '(') depth++
    else if (char === ')') depth--
    else if (char === '|' && depth === 0) {
      parts.push(text.slice(from, index))
      from = index + 1
    }
  }
  return [...parts, text.slice(from)]
}

function unwrap(text: string): string {
  return text.startsWith('(') && text.endsWith(')') ? text.slice(1, -1) : text
}
