import { syntaxError, type SqlError } from './error.ts'
import { lex, SOFT_KEYWORDS, type Token } from './lex.ts'

/** Walks over the tokens of a query. */
export class Cursor {
  protected readonly text: string
  protected readonly tokens: readonly Token[]
  protected at = 0

  constructor(text: string) {
    this.text = text
    this.tokens = lex(text)
  }

  protected get token(): Token {
    return this.tokens[this.at] ?? (this.tokens.at(-1) as Token)
  }

  protected ahead(count: number): Token | undefined {
    return this.tokens[this.at + count]
  }

  protected fail(token: Token = this.token): SqlError {
    return syntaxError(token.text, token.start, token.end)
  }

  protected is(text: string): boolean {
    const token = this.token
    return (token.kind === 'keyword' || token.kind === 'symbol') && token.text === text
  }

  protected accept(text: string): boolean {
    if (!this.is(text)) return false
    this.at++
    return true
  }

  protected expect(text: string): Token {
    const token = this.token
    if (!this.accept(text)) throw this.fail()
    return token
  }

  protected end(): number {
    return this.tokens[this.at - 1]?.end ?? 0
  }

  /** A name, or a keyword where none can stand. */
  protected name(soft = true): string {
    const token = this.token
    if (token.kind !== 'name' && !(soft && token.kind === 'keyword' && SOFT_KEYWORDS.has(token.text))) {
      throw this.fail()
    }
    this.at++
    return token.kind === 'keyword' ? token.text.toLowerCase() : token.text
  }

  protected list<T>(one: () => T): T[] {
    const all = [one()]
    while (this.accept(',')) all.push(one())
    return all
  }

  /** A keyword used as a property keeps the case it was written in. */
  protected original(token: Token): string {
    return this.text.slice(token.start, token.end)
  }
}
