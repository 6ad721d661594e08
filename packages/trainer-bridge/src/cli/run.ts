import { parseArgs } from 'node:util'
import { CodedError } from '@attune/core'
import { sentence } from '../error.ts'
import { CliError, type Arguments, type Command, type Terminal } from './command.ts'
import { doctor } from './doctor.ts'
import { evaluate } from './evaluate.ts'
import { importClicks } from './import.ts'
import { keys } from './keys.ts'
import { models } from './models.ts'
import { plan } from './plan.ts'
import { push } from './push.ts'
import { replay } from './replay.ts'
import { rollback } from './rollback.ts'
import { train } from './train.ts'

export const COMMANDS: Readonly<Record<string, Command>> = {
  import: importClicks,
  train,
  evaluate,
  push,
  models,
  rollback,
  replay,
  keys,
  doctor,
  plan,
}

/** Runs `attune <command> …`. @returns exit code: 0, 1 when it failed, 2 when the arguments make no sense */
export async function runCli(argv: readonly string[], terminal: Terminal): Promise<number> {
  const json = argv.includes('--json')
  const at = argv.findIndex((word) => !word.startsWith('-'))
  const name = argv[at] ?? ''
  const rest = argv.filter((_, index) => index !== at)
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (command === undefined || rest.includes('--help') || rest.includes('-h')) {
    const asked = command !== undefined || name === '' || name === 'help'
    if (json) terminal.out(JSON.stringify(described(name, command, asked)))
    else terminal[asked ? 'out' : 'err'](command === undefined ? overview(name, asked) : help(command))
    return asked ? 0 : 2
  }
  try {
    const args = parse(command, rest)
    const { result, lines } = await command.run(args, terminal)
    if (json) terminal.out(JSON.stringify(result))
    else for (const line of lines) terminal.out(line)
    return 0
  } catch (thrown) {
    const error = told(thrown)
    terminal.status?.('')
    const usage = error instanceof CliError && error.code === 'USAGE'
    if (json) {
      const code = error instanceof CodedError ? error.code : 'FAILED'
      const issues = error instanceof CodedError ? error.issues : []
      terminal.out(JSON.stringify({ error: { code, message: sentence(error), issues } }))
    } else terminal.err(sentence(error) + (usage ? `\n\n${help(command)}` : ''))
    return usage ? 2 : 1
  }
}

/** Files that are not there, in words. */
function told(error: unknown): unknown {
  const { code, path } = (error ?? {}) as NodeJS.ErrnoException
  if (code === 'ENOENT' && path !== undefined)
    return new CliError('FILE_MISSING', `there is no ${path}`, { cause: error })
  return error
}

/** What `--help --json` prints. */
function described(name: string, command: Command | undefined, asked: boolean): Record<string, unknown> {
  if (command !== undefined) {
    const { summary, usage, options } = command
    return { command: name, summary, usage, options: [...Object.keys(options), 'json', 'help'] }
  }
  const commands = Object.entries(COMMANDS).map(([command, { summary }]) => ({ command, summary }))
  if (asked) return { commands }
  return { error: { code: 'USAGE', message: `"${name}" is no command`, issues: [] }, commands }
}

function parse(command: Command, argv: string[]): Arguments {
  try {
    const options = {
      ...command.options,
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    } as const
    return parseArgs({ args: argv, options, allowPositionals: true, strict: true })
  } catch (error) {
    throw new CliError('USAGE', (error as Error).message)
  }
}

function help({ usage, summary }: Command): string {
  return `${summary}\n\nusage: ${usage}\n  --json   print the result as one line of JSON`
}

function overview(name: string, asked: boolean): string {
  const list = Object.entries(COMMANDS).map(([command, { summary }]) => `  ${command.padEnd(10)} ${summary}`)
  const unknown = asked ? '' : `"${name}" is no command\n\n`
  return `${unknown}attune <command> [options] [--json]\n\n${list.join('\n')}\n\nattune <command> --help says more`
}
