import type { Expression, OrderBy, Query, Select, SelectItem, Source } from './ast.ts'
import { SqlError, syntaxError } from './error.ts'
import { lex, SOFT_KEYWORDS, type Token } from './lex.ts'

const COMPARISONS = new Set(['=', '!=', '<', '<=', '>', '>='])

/** Binary operators that bind tighter than comparisons, loosest first. */
const LEVELS: readonly (readonly string[])[] = [
  ['|'],
  ['^'],
  ['&'],
  ['<<', '>>', '>>>'],
  ['||'],
  ['+', '-'],
  ['*', '/', '%'],
]

class Parser {
  readonly #tokens: readonly Token[]
  #at = 0

  constructor(text: string) {
    this.#tokens = lex(text)
  }

  get #token(): Token {
    return this.#tokens[this.#at] ?? (this.#tokens.at(-1) as Token)
  }

  #ahead(count: number): Token | undefined {
    return this.#tokens[this.#at + count]
  }

  #fail(token: Token = this.#token): SqlError {
    return syntaxError(token.text, token.start, token.end)
  }

  #is(text: string): boolean {
    const token = this.#token
    return (token.kind === 'keyword' || token.kind === 'symbol') && token.text === text
  }

  #accept(text: string): boolean {
    if (!this.#is(text)) return false
    this.#at++
    return true
  }

  #expect(text: string): Token {
    const token = this.#token
    if (!this.#accept(text)) throw this.#fail()
    return token
  }

  #end(): number {
    return this.#tokens[this.#at - 1]?.end ?? 0
  }

  /** A name, or a keyword where none can stand. */
  #name(soft = true): string {
    const token = this.#token
    if (token.kind !== 'name' && !(soft && token.kind === 'keyword' && SOFT_KEYWORDS.has(token.text))) {
      throw this.#fail()
    }
    this.#at++
    return token.kind === 'keyword' ? token.text.toLowerCase() : token.text
  }

  whole(): Query {
    const query = this.#query()
    if (this.#token.kind !== 'end') throw this.#fail()
    return query
  }

  /** `FROM c WHERE …`, the condition of a patch. */
  condition(): Query {
    const start = this.#token.start
    const from = this.#accept('FROM') ? this.#sources() : []
    const where = this.#accept('WHERE') ? this.#expression() : undefined
    if (this.#token.kind !== 'end') throw this.#fail()
    const value: Expression = { kind: 'literal', value: true, start, end: start }
    return {
      start,
      end: this.#end(),
      distinct: false,
      top: undefined,
      select: { kind: 'value', value },
      from,
      where,
      groupBy: [],
      orderBy: [],
      offset: undefined,
      limit: undefined,
    }
  }

  #query(): Query {
    const start = this.#expect('SELECT').start
    const distinct = this.#accept('DISTINCT')
    let top: Expression | undefined
    if (this.#is('TOP') && (this.#ahead(1)?.kind === 'number' || this.#ahead(1)?.kind === 'parameter')) {
      this.#at++
      top = this.#primary()
    }
    const select = this.#select()
    const from = this.#accept('FROM') ? this.#sources() : []
    const where = this.#accept('WHERE') ? this.#expression() : undefined
    let groupBy: Expression[] = []
    if (this.#accept('GROUP')) {
      this.#expect('BY')
      groupBy = this.#list(() => this.#expression())
    }
    if (this.#is('HAVING')) throw this.#fail()
    let orderBy: OrderBy[] = []
    if (this.#accept('ORDER')) {
      this.#expect('BY')
      if (this.#is('RANK')) {
        throw new SqlError(
          'SC2000',
          'ORDER BY RANK is not supported here.',
          this.#token.start,
          this.#token.end,
        )
      }
      orderBy = this.#list(() => {
        const value = this.#expression()
        const descending = this.#accept('DESC')
        if (!descending) this.#accept('ASC')
        return { value, descending }
      })
    }
    let offset: Expression | undefined
    let limit: Expression | undefined
    if (this.#accept('OFFSET')) {
      offset = this.#primary()
      this.#expect('LIMIT')
      limit = this.#primary()
    }
    return { start, end: this.#end(), distinct, top, select, from, where, groupBy, orderBy, offset, limit }
  }

  #list<T>(one: () => T): T[] {
    const all = [one()]
    while (this.#accept(',')) all.push(one())
    return all
  }

  #select(): Select {
    if (this.#accept('*')) return { kind: 'star' }
    if (this.#is('VALUE') && !this.#startsWithMember()) {
      this.#at++
      return { kind: 'value', value: this.#expression() }
    }
    return {
      kind: 'list',
      items: this.#list((): SelectItem => {
        const value = this.#expression()
        if (this.#accept('AS')) return { value, alias: this.#alias() }
        return {
          value,
          alias: this.#token.kind === 'name' || this.#token.kind === 'string' ? this.#alias() : undefined,
        }
      }),
    }
  }

  #alias(): string {
    if (this.#token.kind !== 'string') return this.#name()
    const text = this.#token.text
    this.#at++
    return text
  }

  /** `SELECT value.x`: a name after all. */
  #startsWithMember(): boolean {
    const next = this.#ahead(1)
    return next?.kind === 'symbol' && (next.text === '.' || next.text === ',')
  }

  #sources(): Source[] {
    const sources = [this.#source()]
    while (this.#accept('JOIN')) sources.push(this.#source())
    return sources
  }

  #source(): Source {
    const start = this.#token.start
    const next = this.#ahead(1)
    if (this.#token.kind === 'name' && next?.kind === 'keyword' && next.text === 'IN') {
      const alias = this.#name()
      this.#expect('IN')
      const from = this.#collection()
      return { start, end: this.#end(), each: true, alias, from }
    }
    const from = this.#collection()
    let alias: string | undefined
    if (this.#accept('AS')) alias = this.#name()
    else if (this.#token.kind === 'name') alias = this.#name(false)
    return { start, end: this.#end(), each: false, alias, from }
  }

  #collection(): Source['from'] {
    if (this.#is('(')) {
      const next = this.#ahead(1)
      if (next?.kind === 'keyword' && next.text === 'SELECT') {
        this.#at++
        const query = this.#query()
        this.#expect(')')
        return { kind: 'query', query }
      }
    }
    return this.#postfix()
  }

  #expression(): Expression {
    const test = this.#coalesce()
    if (!this.#accept('?')) return test
    const yes = this.#expression()
    this.#expect(':')
    const no = this.#expression()
    return { kind: 'conditional', test, yes, no, start: test.start, end: no.end }
  }

  #left(one: () => Expression, operators: readonly string[]): Expression {
    let left = one()
    for (;;) {
      const operator = operators.find((symbol) => this.#is(symbol))
      if (operator === undefined) return left
      this.#at++
      const right = one()
      left = { kind: 'binary', operator, left, right, start: left.start, end: right.end }
    }
  }

  #coalesce(): Expression {
    return this.#left(() => this.#left(() => this.#left(() => this.#not(), ['AND']), ['OR']), ['??'])
  }

  #not(): Expression {
    const start = this.#token.start
    if (!this.#accept('NOT')) return this.#comparison()
    const operand = this.#not()
    return { kind: 'unary', operator: 'NOT', operand, start, end: operand.end }
  }

  #comparison(): Expression {
    let left = this.#operators(0)
    for (;;) {
      const token = this.#token
      if (token.kind === 'symbol' && COMPARISONS.has(token.text)) {
        this.#at++
        const right = this.#operators(0)
        left = { kind: 'binary', operator: token.text, left, right, start: left.start, end: right.end }
        continue
      }
      const following = this.#ahead(1)
      const negated =
        this.#is('NOT') && following?.kind === 'keyword' && ['IN', 'BETWEEN', 'LIKE'].includes(following.text)
      if (negated) this.#at++
      const tested = this.#test(left)
      if (tested === undefined) return left
      left = negated
        ? { kind: 'unary', operator: 'NOT', operand: tested, start: left.start, end: tested.end }
        : tested
    }
  }

  #test(value: Expression): Expression | undefined {
    const start = value.start
    if (this.#accept('IN')) {
      this.#expect('(')
      const list = this.#list(() => this.#expression())
      this.#expect(')')
      return { kind: 'in', value, list, start, end: this.#end() }
    }
    if (this.#accept('BETWEEN')) {
      const low = this.#operators(0)
      this.#expect('AND')
      const high = this.#operators(0)
      return { kind: 'between', value, low, high, start, end: high.end }
    }
    if (this.#accept('LIKE')) {
      const pattern = this.#operators(0)
      let escape: string | undefined
      if (this.#accept('ESCAPE')) {
        if (this.#token.kind !== 'string' || this.#token.text.length !== 1) throw this.#fail()
        escape = this.#token.text
        this.#at++
      }
      return { kind: 'like', value, pattern, escape, start, end: this.#end() }
    }
    return undefined
  }

  #operators(level: number): Expression {
    const operators = LEVELS[level]
    if (operators === undefined) return this.#unary()
    return this.#left(() => this.#operators(level + 1), operators)
  }

  #unary(): Expression {
    const { start, text, kind } = this.#token
    if (kind !== 'symbol' || !['-', '+', '~'].includes(text)) return this.#postfix()
    this.#at++
    const operand = this.#unary()
    return { kind: 'unary', operator: text, operand, start, end: operand.end }
  }

  #postfix(): Expression {
    let value = this.#primary()
    for (;;) {
      const start = value.start
      if (this.#accept('.')) {
        const token = this.#token
        if (token.kind !== 'name' && token.kind !== 'keyword') throw this.#fail()
        this.#at++
        const text = token.kind === 'keyword' ? this.#original(token) : token.text
        const property: Expression = { kind: 'literal', value: text, start: token.start, end: token.end }
        value = { kind: 'member', of: value, property, start, end: token.end }
      } else if (this.#accept('[')) {
        const property = this.#expression()
        const { end } = this.#expect(']')
        value = { kind: 'member', of: value, property, start, end }
      } else return value
    }
  }

  /** A keyword used as a property keeps the case it was written in. */
  #original(token: Token): string {
    return this.text.slice(token.start, token.end)
  }

  text = ''

  #primary(): Expression {
    const token = this.#token
    const { start, end } = token
    switch (token.kind) {
      case 'number':
        this.#at++
        return { kind: 'literal', value: Number(token.text), start, end }
      case 'string':
        this.#at++
        return { kind: 'literal', value: token.text, start, end }
      case 'parameter':
        this.#at++
        return { kind: 'parameter', name: token.text, start, end }
      case 'keyword':
        return this.#keyword(token)
      case 'name':
        return this.#nameOrCall(token)
      case 'symbol':
        return this.#bracketed(token)
      default:
        throw this.#fail()
    }
  }

  #keyword(token: Token): Expression {
    const { start, end } = token
    const constants: Readonly<Record<string, null | boolean | undefined>> = {
      TRUE: true,
      FALSE: false,
      NULL: null,
      UNDEFINED: undefined,
    }
    if (token.text in constants) {
      this.#at++
      return { kind: 'literal', value: constants[token.text], start, end }
    }
    if (token.text === 'EXISTS' || token.text === 'ARRAY' || token.text === 'ALL' || token.text === 'FIRST') {
      const next = this.#ahead(1)
      const select = this.#ahead(2)
      if (next?.text === '(' && select?.kind === 'keyword' && select.text === 'SELECT') {
        if (token.text === 'ALL' || token.text === 'FIRST') throw this.#fail()
        this.#at += 2
        const query = this.#query()
        this.#expect(')')
        return {
          kind: 'subquery',
          how: token.text === 'EXISTS' ? 'exists' : 'array',
          query,
          start,
          end: this.#end(),
        }
      }
    }
    if (token.text === 'UDF' && this.#ahead(1)?.text === '.') {
      this.#at += 2
      const name = this.#name()
      return this.#call(name, start, true)
    }
    if (['LEFT', 'RIGHT'].includes(token.text) || !SOFT_KEYWORDS.has(token.text)) throw this.#fail()
    this.#at++
    const name = this.#original(token)
    if (this.#is('(')) return this.#call(name, start, false)
    return { kind: 'name', name, start, end }
  }

  #nameOrCall(token: Token): Expression {
    this.#at++
    if (this.#is('(')) return this.#call(token.text, token.start, false)
    return { kind: 'name', name: token.text, start: token.start, end: token.end }
  }

  #call(name: string, start: number, udf: boolean): Expression {
    this.#expect('(')
    const given = this.#is(')') ? [] : this.#list(() => this.#expression())
    this.#expect(')')
    return { kind: 'call', name, arguments: given, udf, start, end: this.#end() }
  }

  #bracketed(token: Token): Expression {
    const { start } = token
    if (this.#accept('(')) {
      if (this.#is('SELECT')) {
        const query = this.#query()
        this.#expect(')')
        return { kind: 'subquery', how: 'scalar', query, start, end: this.#end() }
      }
      const value = this.#expression()
      const { end } = this.#expect(')')
      // The brackets belong to it: query plans cut expressions out of the text.
      return { ...value, start, end }
    }
    if (this.#accept('[')) {
      const items = this.#is(']') ? [] : this.#list(() => this.#expression())
      this.#expect(']')
      return { kind: 'array', items, start, end: this.#end() }
    }
    if (this.#accept('{')) {
      const properties = this.#is('}')
        ? []
        : this.#list(() => {
            const name = this.#token
            if (name.kind !== 'string' && name.kind !== 'name' && name.kind !== 'keyword') throw this.#fail()
            this.#at++
            this.#expect(':')
            return {
              name: name.kind === 'keyword' ? this.#original(name) : name.text,
              value: this.#expression(),
            }
          })
      this.#expect('}')
      return { kind: 'object', properties, start, end: this.#end() }
    }
    throw this.#fail()
  }
}

/** @throws {SqlError} with the place of the first thing that is not Cosmos SQL */
export function parseQuery(text: string): Query {
  const parser = new Parser(text)
  parser.text = text
  return parser.whole()
}

/** `FROM c WHERE …`. */
export function parseCondition(text: string): Query {
  const parser = new Parser(text)
  parser.text = text
  return parser.condition()
}
