import type { Expression, Query } from './ast.ts'
import { Cursor } from './cursor.ts'
import { SOFT_KEYWORDS, type Token } from './lex.ts'

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

/** Expressions, loosest operator first; subqueries are left to the parser of queries. */
export abstract class ExpressionParser extends Cursor {
  protected abstract query(): Query

  protected expression(): Expression {
    const test = this.coalesce()
    if (!this.accept('?')) return test
    const yes = this.expression()
    this.expect(':')
    const no = this.expression()
    return { kind: 'conditional', test, yes, no, start: test.start, end: no.end }
  }

  protected left(one: () => Expression, operators: readonly string[]): Expression {
    let left = one()
    for (;;) {
      const operator = operators.find((symbol) => this.is(symbol))
      if (operator === undefined) return left
      this.at++
      const right = one()
      left = { kind: 'binary', operator, left, right, start: left.start, end: right.end }
    }
  }

  protected coalesce(): Expression {
    return this.left(() => this.left(() => this.left(() => this.not(), ['AND']), ['OR']), ['??'])
  }

  protected not(): Expression {
    const start = this.token.start
    if (!this.accept('NOT')) return this.comparison()
    const operand = this.not()
    return { kind: 'unary', operator: 'NOT', operand, start, end: operand.end }
  }

  protected comparison(): Expression {
    let left = this.operators(0)
    for (;;) {
      const token = this.token
      if (token.kind === 'symbol' && COMPARISONS.has(token.text)) {
        this.at++
        const right = this.operators(0)
        left = { kind: 'binary', operator: token.text, left, right, start: left.start, end: right.end }
        continue
      }
      const following = this.ahead(1)
      const negated =
        this.is('NOT') && following?.kind === 'keyword' && ['IN', 'BETWEEN', 'LIKE'].includes(following.text)
      if (negated) this.at++
      const tested = this.test(left)
      if (tested === undefined) return left
      left = negated
        ? { kind: 'unary', operator: 'NOT', operand: tested, start: left.start, end: tested.end }
        : tested
    }
  }

  protected test(value: Expression): Expression | undefined {
    const start = value.start
    if (this.accept('IN')) {
      this.expect('(')
      const list = this.list(() => this.expression())
      this.expect(')')
      return { kind: 'in', value, list, start, end: this.end() }
    }
    if (this.accept('BETWEEN')) {
      const low = this.operators(0)
      this.expect('AND')
      const high = this.operators(0)
      return { kind: 'between', value, low, high, start, end: high.end }
    }
    if (this.accept('LIKE')) {
      const pattern = this.operators(0)
      let escape: string | undefined
      if (this.accept('ESCAPE')) {
        if (this.token.kind !== 'string' || this.token.text.length !== 1) throw this.fail()
        escape = this.token.text
        this.at++
      }
      return { kind: 'like', value, pattern, escape, start, end: this.end() }
    }
    return undefined
  }

  protected operators(level: number): Expression {
    const operators = LEVELS[level]
    if (operators === undefined) return this.unary()
    return this.left(() => this.operators(level + 1), operators)
  }

  protected unary(): Expression {
    const { start, text, kind } = this.token
    if (kind !== 'symbol' || !['-', '+', '~'].includes(text)) return this.postfix()
    this.at++
    const operand = this.unary()
    return { kind: 'unary', operator: text, operand, start, end: operand.end }
  }

  protected postfix(): Expression {
    let value = this.primary()
    for (;;) {
      const start = value.start
      if (this.accept('.')) {
        const token = this.token
        if (token.kind !== 'name' && token.kind !== 'keyword') throw this.fail()
        this.at++
        const text = token.kind === 'keyword' ? this.original(token) : token.text
        const property: Expression = { kind: 'literal', value: text, start: token.start, end: token.end }
        value = { kind: 'member', of: value, property, start, end: token.end }
      } else if (this.accept('[')) {
        const property = this.expression()
        const { end } = this.expect(']')
        value = { kind: 'member', of: value, property, start, end }
      } else return value
    }
  }

  protected primary(): Expression {
    const token = this.token
    const { start, end } = token
    switch (token.kind) {
      case 'number':
        this.at++
        return { kind: 'literal', value: Number(token.text), start, end }
      case 'string':
        this.at++
        return { kind: 'literal', value: token.text, start, end }
      case 'parameter':
        this.at++
        return { kind: 'parameter', name: token.text, start, end }
      case 'keyword':
        return this.keyword(token)
      case 'name':
        return this.nameOrCall(token)
      case 'symbol':
        return this.bracketed(token)
      default:
        throw this.fail()
    }
  }

  protected keyword(token: Token): Expression {
    const { start, end } = token
    const constants: Readonly<Record<string, null | boolean | undefined>> = {
      TRUE: true,
      FALSE: false,
      NULL: null,
      UNDEFINED: undefined,
    }
    if (token.text in constants) {
      this.at++
      return { kind: 'literal', value: constants[token.text], start, end }
    }
    if (token.text === 'EXISTS' || token.text === 'ARRAY' || token.text === 'ALL' || token.text === 'FIRST') {
      const next = this.ahead(1)
      const select = this.ahead(2)
      if (next?.text === '(' && select?.kind === 'keyword' && select.text === 'SELECT') {
        if (token.text === 'ALL' || token.text === 'FIRST') throw this.fail()
        this.at += 2
        const query = this.query()
        this.expect(')')
        return {
          kind: 'subquery',
          how: token.text === 'EXISTS' ? 'exists' : 'array',
          query,
          start,
          end: this.end(),
        }
      }
    }
    if (token.text === 'UDF' && this.ahead(1)?.text === '.') {
      this.at += 2
      const name = this.name()
      return this.call(name, start, true)
    }
    if (['LEFT', 'RIGHT'].includes(token.text) || !SOFT_KEYWORDS.has(token.text)) throw this.fail()
    this.at++
    const name = this.original(token)
    if (this.is('(')) return this.call(name, start, false)
    return { kind: 'name', name, start, end }
  }

  protected nameOrCall(token: Token): Expression {
    this.at++
    if (this.is('(')) return this.call(token.text, token.start, false)
    return { kind: 'name', name: token.text, start: token.start, end: token.end }
  }

  protected call(name: string, start: number, udf: boolean): Expression {
    this.expect('(')
    const given = this.is(')') ? [] : this.list(() => this.expression())
    this.expect(')')
    return { kind: 'call', name, arguments: given, udf, start, end: this.end() }
  }

  protected bracketed(token: Token): Expression {
    const { start } = token
    if (this.accept('(')) {
      if (this.is('SELECT')) {
        const query = this.query()
        this.expect(')')
        return { kind: 'subquery', how: 'scalar', query, start, end: this.end() }
      }
      const value = this.expression()
      const { end } = this.expect(')')
      // The brackets belong to it: query plans cut expressions out of the text.
      return { ...value, start, end }
    }
    if (this.accept('[')) {
      const items = this.is(']') ? [] : this.list(() => this.expression())
      this.expect(']')
      return { kind: 'array', items, start, end: this.end() }
    }
    if (this.accept('{')) {
      const properties = this.is('}')
        ? []
        : this.list(() => {
            const name = this.token
            if (name.kind !== 'string' && name.kind !== 'name' && name.kind !== 'keyword') throw this.fail()
            this.at++
            this.expect(':')
            return {
              name: name.kind === 'keyword' ? this.original(name) : name.text,
              value: this.expression(),
            }
          })
      this.expect('}')
      return { kind: 'object', properties, start, end: this.end() }
    }
    throw this.fail()
  }
}
