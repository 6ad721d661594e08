import type { ParseArgsOptionsConfig } from 'node:util'
import { CodedError } from '@attune/core'

/** Everything a command needs of its process. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>
  /** One line of standard output. */
  readonly out: (text: string) => void
  /** One line of standard error. */
  readonly err: (text: string) => void
  /** Replaces the line being shown; absent where there is no terminal. */
  readonly status: ((text: string) => void) | undefined
  readonly fetch: typeof fetch
  readonly now: () => number
  readonly signal: AbortSignal
}

export type CliErrorCode =
  | 'USAGE' // arguments that do not make a command
  | 'FILE_MISSING' // a file the arguments name

/** The arguments do not make a command; `message` says which would. */
export class CliError extends CodedError<CliErrorCode> {
  override readonly name = 'CliError'
}

export interface Arguments {
  readonly values: Readonly<Record<string, string | boolean | (string | boolean)[] | undefined>>
  readonly positionals: readonly string[]
}

export interface Command {
  readonly summary: string
  readonly usage: string
  readonly options: ParseArgsOptionsConfig
  /** @returns what `--json` prints; `lines` is what a person reads */
  readonly run: (
    args: Arguments,
    terminal: Terminal,
  ) => Promise<{ result: Record<string, unknown>; lines: string[] }>
}

/** A text option that must be there, from the arguments or the environment. @throws {CliError} `USAGE` */
export function required(args: Arguments, terminal: Terminal, option: string, variable?: string): string {
  const value = args.values[option] ?? (variable === undefined ? undefined : terminal.env[variable])
  if (typeof value === 'string' && value !== '') return value
  throw new CliError('USAGE', `--${option} is missing${variable === undefined ? '' : ` (or ${variable})`}`)
}

/** A whole number; undefined when the option is not given. @throws {CliError} `USAGE` */
export function natural(args: Arguments, option: string): number | undefined {
  const value = args.values[option]
  if (value === undefined) return undefined
  if (typeof value !== 'string' || !/^[1-9]\d{0,8}$/.test(value)) {
    throw new CliError('USAGE', `--${option}: expected a whole number from 1, received ${String(value)}`)
  }
  return Number(value)
}

/** A share between 0 and 1; undefined when the option is not given. @throws {CliError} `USAGE` */
export function shareOf(args: Arguments, option: string): number | undefined {
  const text = textOf(args, option)
  if (text === undefined) return undefined
  const value = Number(text)
  if (value > 0 && value < 1) return value
  throw new CliError('USAGE', `--${option}: expected a share between 0 and 1, received ${text}`)
}

/** A text option; undefined when it is not given. */
export function textOf({ values }: Arguments, option: string): string | undefined {
  const value = values[option]
  return typeof value === 'string' ? value : undefined
}
