import type { ParseArgsOptionsConfig } from 'node:util'
import type { EdgeTarget } from '../push/edge-client.ts'
import { CliError, required, type Arguments, type Terminal } from './command.ts'

export const EDGE_OPTIONS: ParseArgsOptionsConfig = {
  edge: { type: 'string', multiple: true },
  'push-key': { type: 'string' },
}
export const EDGE_USAGE: string =
  '  --edge       base URL of an edge, once for each (or ATTUNE_EDGES, joined by commas)\n' +
  '  --push-key   key of the edges (or ATTUNE_PUSH_KEY)'

/** The edges named by `--edge` or ATTUNE_EDGES, and the key to go there with. @throws {CliError} `USAGE` */
export function edgesOf(args: Arguments, terminal: Terminal, key: 'push' | 'admin' = 'push'): EdgeTarget[] {
  const named = args.values['edge']
  const list = Array.isArray(named) ? named.map(String) : (terminal.env['ATTUNE_EDGES'] ?? '').split(',')
  const urls = list.map((url) => url.trim()).filter((url) => url !== '')
  if (urls.length === 0) throw new CliError('USAGE', '--edge is missing (or ATTUNE_EDGES)')
  const odd = urls.find((url) => !URL.canParse(url))
  if (odd !== undefined)
    throw new CliError('USAGE', `--edge: expected a URL like https://edge.example, received ${odd}`)
  const pushKey = required(args, terminal, `${key}-key`, `ATTUNE_${key.toUpperCase()}_KEY`)
  return urls.map((url) => ({ url, pushKey }))
}
