import { SqlError, syntaxError } from './error.ts'

export type TokenKind = 'name' | 'keyword' | 'number' | 'string' | 'parameter' | 'symbol' | 'end'

export interface Token {
  readonly kind: TokenKind
  /** Keywords in upper case; strings without quotes and escapes. */
  readonly text: string
  readonly start: number
  readonly end: number
}

const KEYWORDS = new Set(
  `SELECT VALUE DISTINCT TOP AS FROM IN JOIN WHERE GROUP BY HAVING ORDER ASC DESC OFFSET LIMIT AND OR NOT BETWEEN LIKE
   ESCAPE EXISTS ARRAY ALL FIRST LAST RANK UDF TRUE FALSE NULL UNDEFINED`.split(/\s+/),
)

/** Keywords that may also be names where no keyword can stand. */
export const SOFT_KEYWORDS: ReadonlySet<string> = new Set(
  'VALUE OFFSET LIMIT ARRAY ALL FIRST LAST RANK UDF TOP ESCAPE HAVING GROUP ORDER UNDEFINED'.split(' '),
)

const SYMBOL = /\?\?|\|\||>>>|<<|>>|<=|>=|!=|<>|[-+*/%&|^~()[\]{},.:?=<>]/y
const NUMBER = /0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?/y
const NAME = /[\p{L}_][\p{L}\p{N}_]*/uy
const SKIP = /(?:\s+|--[^\n]*|\/\*[\s\S]*?\*\/)+/y

const ESCAPES: Readonly<Record<string, string>> = {
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
}

export function lex(text: string): Token[] {
  const tokens: Token[] = []
  let at = 0
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    return pattern.exec(text)?.[0]
  }
  for (;;) {
    at += match(SKIP)?.length ?? 0
    if (at >= text.length) break
    const start = at
    const first = text[at] ?? ''
    if (first === '"' || first === "'") {
      const [value, end] = readString(text, at)
      at = end
      tokens.push({ kind: 'string', text: value, start, end })
      continue
    }
    if (first === '@') {
      at++
      const name = match(NAME) ?? match(/\d+/y)
      if (name === undefined) throw syntaxError('@', start, at)
      at += name.length
      tokens.push({ kind: 'parameter', text: `@${name}`, start, end: at })
      continue
    }
    const number = match(NUMBER)
    if (number !== undefined) {
      at += number.length
      tokens.push({ kind: 'number', text: number, start, end: at })
      continue
    }
    const name = match(NAME)
    if (name !== undefined) {
      at += name.length
      const upper = name.toUpperCase()
      if (KEYWORDS.has(upper)) tokens.push({ kind: 'keyword', text: upper, start, end: at })
      else tokens.push({ kind: 'name', text: name, start, end: at })
      continue
    }
    const symbol = match(SYMBOL)
    if (symbol === undefined) {
      throw new SqlError('SC1010', `Syntax error, invalid token '${first}'.`, start, start + 1)
    }
    at += symbol.length
    tokens.push({ kind: 'symbol', text: symbol === '<>' ? '!=' : symbol, start, end: at })
  }
  tokens.push({ kind: 'end', text: '<EOF>', start: text.length, end: text.length })
  return tokens
}

function readString(text: string, start: number): [string, number] {
  const quote = text[start]
  let value = ''
  let at = start + 1
  for (; at < text.length; at++) {
    const char = text[at] ?? ''
    if (char === quote) return [value, at + 1]
    if (char !== '\\') {
      value += char
      continue
    }
    const escaped = text[++at] ?? ''
    if (escaped === 'u') {
      const digits = text.slice(at + 1, at + 5)
      if (!/^[0-9a-fA-F]{4}$/.test(digits))
        throw new SqlError('SC1012', 'Invalid escape sequence.', at - 1, at + 5)
      value += String.fromCharCode(parseInt(digits, 16))
      at += 4
    } else {
      value += ESCAPES[escaped] ?? escaped
    }
  }
  throw new SqlError('SC1012', 'Unterminated string constant.', start, text.length)
}
