/** A client's session: the newest token of each range, and what each register must at least show it. */
export class Session {
  readonly #tokens = new Map<string, { version: number; lsn: number; text: string }>()
  /** Lowest value that this session may still read, by register: what it wrote or has read. */
  readonly floors: Map<string, number> = new Map<string, number>()

  get token(): string {
    return [...this.#tokens].map(([range, token]) => `${range}:${token.text}`).join(',')
  }

  observe(header: string | null): void {
    for (const part of (header ?? '').split(',')) {
      const [range, text] = part.split(':')
      const [version, lsn] = (text ?? '').split('#').map(Number)
      if (range === undefined || text === undefined || version === undefined || lsn === undefined) continue
      const known = this.#tokens.get(range)
      if (known === undefined || lsn > known.lsn || (lsn === known.lsn && version > known.version)) {
        this.#tokens.set(range, { version, lsn, text })
      }
    }
  }

  saw(register: string, value: number): void {
    this.floors.set(register, Math.max(value, this.floors.get(register) ?? 0))
  }

  /** Takes over another session's token, and with it everything that session has seen. */
  adopt(other: Session): void {
    this.observe(other.token)
    for (const [register, value] of other.floors) this.saw(register, value)
  }
}
