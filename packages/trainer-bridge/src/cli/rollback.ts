import { listEpochs, readArtifact } from '../artifact/folder.ts'
import { handOver } from '../artifact/hand-over.ts'
import { BridgeError, sentence } from '../error.ts'
import { withReport } from '../gate/check.ts'
import type { GateReport } from '../gate/gate.ts'
import { FIRST, reportOf } from '../gate/report.ts'
import { newestState } from '../state/generation.ts'
import { EdgeClient, EdgeProblem, type Acknowledged } from '../push/edge-client.ts'
import { CliError, natural, textOf, type Arguments, type Command, type Terminal } from './command.ts'
import { EDGE_OPTIONS, edgesOf } from './edges.ts'
import { servedBy } from './serving.ts'

/** `attune rollback --bridge FOLDER`, `attune rollback --edge URL …` */
export const rollback: Command = {
  summary: 'go back to an earlier epoch, on edges and in a bridge',
  usage:
    'attune rollback --bridge FOLDER [--edge URL …] [--epoch N]\n' +
    '       attune rollback --edge URL [--edge URL …] [--epoch N]\n' +
    '  --bridge     folder of a running bridge: it goes on from the model before, as a new epoch, and reads again what was\n' +
    '               clicked since that model\n' +
    '  --edge       base URL of an edge that is to serve its epoch before at once (or ATTUNE_EDGES, joined by commas)\n' +
    '  --admin-key  operator’s key of the edges (or ATTUNE_ADMIN_KEY)\n' +
    '  --epoch      the epoch to go back to; the one before when absent\n' +
    'A bridge that is not told puts its own model back with its next epoch.',
  options: {
    edge: EDGE_OPTIONS['edge'] ?? { type: 'string', multiple: true },
    'admin-key': { type: 'string' },
    bridge: { type: 'string' },
    epoch: { type: 'string' },
  },
  async run(args, terminal) {
    const bridge = textOf(args, 'bridge')
    const named = args.values['edge'] !== undefined || (bridge === undefined && terminal.env['ATTUNE_EDGES'])
    if (bridge === undefined && !named)
      throw new CliError('USAGE', '--bridge or --edge is missing (or ATTUNE_EDGES)')
    // First the bridge: told later, it could push the model that is being left once more.
    const told = bridge === undefined ? undefined : await tellBridge(bridge, args, terminal)
    const edges = named ? await activate(args, terminal) : []
    return {
      result: { ...(told && { bridge: { folder: bridge, epoch: told } }), edges },
      lines: [
        ...(told === undefined
          ? []
          : [`the bridge of ${bridge} goes on from its epoch ${told}, under a new number`]),
        ...edges.map(({ url, epoch, delta }) => `${url}  serves epoch ${epoch}, delta ${delta}`),
        ...(bridge === undefined ? ['a bridge that runs has to be told, too: --bridge FOLDER'] : []),
      ],
    }
  },
}

/** @returns the epoch of its folder that it goes on from */
async function tellBridge(folder: string, args: Arguments, terminal: Terminal): Promise<number> {
  const current = (await servedBy(folder, true))?.manifest.epoch ?? 0
  const asked = natural(args, 'epoch')
  const state = (await newestState(folder)) ?? folder
  const kept = await listEpochs(state)
  const epoch = asked ?? kept.findLast((one) => one < current)
  if (epoch === undefined || !kept.includes(epoch)) {
    throw new BridgeError(
      'EPOCH_MISSING',
      `${folder}: expected ${asked === undefined ? `an epoch before ${current}` : `epoch ${asked}`} to go back to, it keeps ${kept.join(', ') || 'none'}; push one with \`attune push --artifact DIR --epoch N --bridge ${folder}\``,
    )
  }
  const artifact = await readArtifact(state, epoch)
  const report: GateReport = {
    ...(reportOf(artifact.manifest.gate) ?? FIRST),
    verdict: 'overridden',
    override: { why: `rolled back to epoch ${epoch}`, at: new Date(terminal.now()).toISOString() },
  }
  await handOver(folder, withReport(artifact, report))
  return epoch
}

/** @throws {BridgeError} `PUSH_UNACKNOWLEDGED`, with what each edge said; the others have gone back */
async function activate(args: Arguments, terminal: Terminal): Promise<(Acknowledged & { url: string })[]> {
  const epoch = natural(args, 'epoch')
  const answers = await Promise.all(
    edgesOf(args, terminal, 'admin').map(async (target) => {
      try {
        return {
          url: target.url,
          ...(await new EdgeClient(target, terminal.fetch).activate(epoch, terminal.signal)),
        }
      } catch (error) {
        return { url: target.url, error: sentence(error) + hint(error) }
      }
    }),
  )
  const failed = answers.flatMap((answer) => ('error' in answer ? [answer] : []))
  if (failed.length > 0) {
    throw new BridgeError(
      'PUSH_UNACKNOWLEDGED',
      `${failed.length} of ${answers.length} edges did not go back:\n${failed.map(({ url, error }) => `  ${url}: ${error}`).join('\n')}`,
      {
        issues: failed.map(({ url, error = '' }) => ({
          path: url,
          code: 'PUSH_UNACKNOWLEDGED',
          message: error,
        })),
      },
    )
  }
  return answers.flatMap((answer) => ('error' in answer ? [] : [answer]))
}

function hint(error: unknown): string {
  if (!(error instanceof EdgeProblem)) return ''
  if (error.code === 'KEY_FORBIDDEN' || error.code === 'KEY_UNKNOWN')
    return ' (--admin-key: one of the edge’s ATTUNE_ADMIN_KEYS)'
  return error.code === 'EPOCH_UNKNOWN' ? ' (`attune models` lists what an edge has)' : ''
}
