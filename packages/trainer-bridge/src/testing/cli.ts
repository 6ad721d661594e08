import type { Terminal } from '../cli/command.ts'
import { runCli } from '../cli/run.ts'

/** What a command said and how it ended. */
export interface CliAnswer {
  readonly code: number
  /** Standard output, standard error, and both as they came. */
  readonly out: string
  readonly err: string
  readonly text: string
  /** The last line of standard output. */
  json(): Record<string, unknown>
}

/** Runs a command of `attune` in this process. */
export async function cli(
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
  terminal: Partial<Terminal> = {},
): Promise<CliAnswer> {
  const [out, err, lines]: [string[], string[], string[]] = [[], [], []]
  const code = await runCli([...argv], {
    env,
    out: (text) => void (out.push(text), lines.push(text)),
    err: (text) => void (err.push(text), lines.push(text)),
    status: undefined,
    fetch,
    now: Date.now,
    signal: new AbortController().signal,
    ...terminal,
  })
  return {
    code,
    out: out.join('\n'),
    err: err.join('\n'),
    text: lines.join('\n'),
    json: () => JSON.parse(out.at(-1) ?? '{}') as Record<string, unknown>,
  }
}
