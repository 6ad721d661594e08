const BAR = 28

export interface Screen {
  /** A step that takes a moment; replaced by the next call. */
  busy(text: string, share?: number | null, secondsLeft?: number | null): void
  /** A step is done; with the time since the start, unless that says nothing. */
  done(text: string, timed?: boolean): void
  say(text: string): void
  warn(text: string): void
}

/** Progress for people: one changing line on a terminal, whole lines elsewhere. */
export function createScreen(out: NodeJS.WriteStream, now: () => number): Screen {
  const live = out.isTTY
  const paint = (code: string, text: string) =>
    live && process.env['NO_COLOR'] === undefined ? `\x1b[${code}m${text}\x1b[0m` : text
  const clear = () => (live ? out.write('\r\x1b[2K') : undefined)
  let last = ''
  const began = now()
  const seconds = () => paint('2', `${((now() - began) / 1_000).toFixed(1)} s`)
  return {
    busy(text, share, secondsLeft) {
      const filled = Math.round((share ?? 0) * BAR)
      const bar =
        share == null ? '' : ` ${'█'.repeat(filled)}${'░'.repeat(BAR - filled)} ${Math.round(share * 100)} %`
      const left = secondsLeft == null || share == null ? '' : `, about ${Math.ceil(secondsLeft)} s left`
      if (live) {
        clear()
        out.write(`${paint('33', '…')} ${text}${bar}${left}`)
      } else if (text !== last) out.write(`… ${text}\n`)
      last = text
    },
    done(text, timed = true) {
      clear()
      out.write(`${paint('32', '✓')} ${text}${timed ? ` ${seconds()}` : ''}\n`)
      last = ''
    },
    say(text) {
      clear()
      out.write(`${text}\n`)
    },
    warn(text) {
      clear()
      out.write(`${paint('33', '!')} ${text}\n`)
    },
  }
}

/** Rows of text in columns as wide as they need to be. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? '').length)),
  )
  return rows
    .map(
      (row) =>
        `  ${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('   ')
          .trimEnd()}`,
    )
    .join('\n')
}
