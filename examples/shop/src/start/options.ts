import { parseArgs } from 'node:util'
import { CodedError } from '@attune/core'

export type StartErrorCode =
  'OPTION_INVALID' | 'PORT_TAKEN' | 'ALREADY_RUNNING' | 'NOT_OUR_FOLDER' | 'TOOL_MISSING' | 'PART_FAILED'

/** The shop cannot start, or had to stop. The message is what the person at the terminal reads. */
export class StartError extends CodedError<StartErrorCode> {
  override readonly name = 'StartError'
}

export interface StartOptions {
  readonly help: boolean
  readonly reset: boolean
  readonly verbose: boolean
  /** First of the four ports used. */
  readonly portBase: number
  /** Folder everything is kept in. */
  readonly data: string
  /** Made-up shoppers the first model learns from. */
  readonly shoppers: number
  /** Passes over their clicks. */
  readonly iterations: number
}

export const DEFAULT_PORT_BASE = 7300
const MAX_PORT_BASE = 65_000

export const HELP: string = `Starts the whole of Attune on this computer, around a web shop to try it in.

  npm start                        start, then open the address it prints
  npm start -- --port-base 7400    use ports 7400 to 7403 instead of ${DEFAULT_PORT_BASE} to ${DEFAULT_PORT_BASE + 3}
  npm start -- --reset             forget everything first: clicks, models, keys
  npm start -- --data DIR          keep data in DIR instead of .attune
  npm start -- --verbose           show what every part says
  npm start -- --shoppers N        train the first model on N made-up shoppers instead of 10,000
  npm start -- --iterations N      pass over their clicks N times instead of 4
  npm start -- --help              this

What runs: a local Cosmos DB, the edge in workerd, the trainer-bridge and the shop, each a process of its own. The first
start trains a model, which takes some tens of seconds; later starts take a few and keep all data. Ctrl-C ends everything,
a second Ctrl-C at once.

Environment: ATTUNE_PORT_BASE and ATTUNE_DATA set what the options of that name set.
`

/** @throws {StartError} `OPTION_INVALID` */
export function readOptions(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): StartOptions {
  let values
  try {
    values = parseArgs({
      args: [...args],
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        reset: { type: 'boolean', default: false },
        verbose: { type: 'boolean', default: false },
        'port-base': { type: 'string' },
        data: { type: 'string' },
        shoppers: { type: 'string', default: '10000' },
        iterations: { type: 'string', default: '4' },
      },
    }).values
  } catch (cause) {
    throw new StartError(
      'OPTION_INVALID',
      `${cause instanceof Error ? cause.message : String(cause)}\n\n${HELP}`,
      { cause },
    )
  }
  const whole = (name: string, text: string, least: number, most: number): number => {
    const number = Number(text)
    if (Number.isInteger(number) && number >= least && number <= most) return number
    throw new StartError(
      'OPTION_INVALID',
      `${name}: expected a whole number from ${least} to ${most}, received ${JSON.stringify(text)}`,
    )
  }
  return {
    help: values.help,
    reset: values.reset,
    verbose: values.verbose,
    portBase: whole(
      '--port-base',
      values['port-base'] ?? env['ATTUNE_PORT_BASE'] ?? String(DEFAULT_PORT_BASE),
      1_024,
      MAX_PORT_BASE,
    ),
    data: values.data ?? env['ATTUNE_DATA'] ?? '.attune',
    shoppers: whole('--shoppers', values.shoppers, 100, 1_000_000),
    iterations: whole('--iterations', values.iterations, 1, 50),
  }
}
