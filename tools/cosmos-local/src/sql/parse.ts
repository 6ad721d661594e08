import type { Expression, OrderBy, Query, Select, SelectItem, Source } from './ast.ts'
import { SqlError } from './error.ts'
import { ExpressionParser } from './parse-expression.ts'

class Parser extends ExpressionParser {
  whole(): Query {
    const query = this.query()
    if (this.token.kind !== 'end') throw this.fail()
    return query
  }

  /** `FROM c WHERE …`, the condition of a patch. */
  condition(): Query {
    const start = this.token.start
    const from = this.accept('FROM') ? this.sources() : []
    const where = this.accept('WHERE') ? this.expression() : undefined
    if (this.token.kind !== 'end') throw this.fail()
    const value: Expression = { kind: 'literal', value: true, start, end: start }
    return {
      start,
      end: this.end(),
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

  protected override query(): Query {
    const start = this.expect('SELECT').start
    const distinct = this.accept('DISTINCT')
    let top: Expression | undefined
    if (this.is('TOP') && (this.ahead(1)?.kind === 'number' || this.ahead(1)?.kind === 'parameter')) {
      this.at++
      top = this.primary()
    }
    const select = this.select()
    const from = this.accept('FROM') ? this.sources() : []
    const where = this.accept('WHERE') ? this.expression() : undefined
    let groupBy: Expression[] = []
    if (this.accept('GROUP')) {
      this.expect('BY')
      groupBy = this.list(() => this.expression())
    }
    if (this.is('HAVING')) throw this.fail()
    let orderBy: OrderBy[] = []
    if (this.accept('ORDER')) {
      this.expect('BY')
      if (this.is('RANK')) {
        throw new SqlError('SC2000', 'ORDER BY RANK is not supported here.', this.token.start, this.token.end)
      }
      orderBy = this.list(() => {
        const value = this.expression()
        const descending = this.accept('DESC')
        if (!descending) this.accept('ASC')
        return { value, descending }
      })
    }
    let offset: Expression | undefined
    let limit: Expression | undefined
    if (this.accept('OFFSET')) {
      offset = this.primary()
      this.expect('LIMIT')
      limit = this.primary()
    }
    return { start, end: this.end(), distinct, top, select, from, where, groupBy, orderBy, offset, limit }
  }

  protected select(): Select {
    if (this.accept('*')) return { kind: 'star' }
    if (this.is('VALUE') && !this.startsWithMember()) {
      this.at++
      return { kind: 'value', value: this.expression() }
    }
    return {
      kind: 'list',
      items: this.list((): SelectItem => {
        const value = this.expression()
        if (this.accept('AS')) return { value, alias: this.alias() }
        return {
          value,
          alias: this.token.kind === 'name' || this.token.kind === 'string' ? this.alias() : undefined,
        }
      }),
    }
  }

  protected alias(): string {
    if (this.token.kind !== 'string') return this.name()
    const text = this.token.text
    this.at++
    return text
  }

  /** `SELECT value.x`: a name after all. */
  protected startsWithMember(): boolean {
    const next = this.ahead(1)
    return next?.kind === 'symbol' && (next.text === '.' || next.text === ',')
  }

  protected sources(): Source[] {
    const sources = [this.source()]
    while (this.accept('JOIN')) sources.push(this.source())
    return sources
  }

  protected source(): Source {
    const start = this.token.start
    const next = this.ahead(1)
    if (this.token.kind === 'name' && next?.kind === 'keyword' && next.text === 'IN') {
      const alias = this.name()
      this.expect('IN')
      const from = this.collection()
      return { start, end: this.end(), each: true, alias, from }
    }
    const from = this.collection()
    let alias: string | undefined
    if (this.accept('AS')) alias = this.name()
    else if (this.token.kind === 'name') alias = this.name(false)
    return { start, end: this.end(), each: false, alias, from }
  }

  protected collection(): Source['from'] {
    if (this.is('(')) {
      const next = this.ahead(1)
      if (next?.kind === 'keyword' && next.text === 'SELECT') {
        this.at++
        const query = this.query()
        this.expect(')')
        return { kind: 'query', query }
      }
    }
    return this.postfix()
  }
}

/** @throws {SqlError} with the place of the first thing that is not Cosmos SQL */
export function parseQuery(text: string): Query {
  return new Parser(text).whole()
}

/** `FROM c WHERE …`. */
export function parseCondition(text: string): Query {
  return new Parser(text).condition()
}
