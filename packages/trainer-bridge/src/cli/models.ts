import { BridgeError, sentence } from '../error.ts'
import { EdgeClient } from '../push/edge-client.ts'
import { reportOf } from '../gate/report.ts'
import { EDGE_OPTIONS, EDGE_USAGE, edgesOf } from './edges.ts'
import type { Command } from './command.ts'

/** `attune models --edge URL …` */
export const models: Command = {
  summary: 'say what every edge serves',
  usage: `attune models --edge URL [--edge URL …]\n${EDGE_USAGE}`,
  options: EDGE_OPTIONS,
  async run(args, terminal) {
    const edges = await Promise.all(
      edgesOf(args, terminal).map(async (target) => {
        try {
          return {
            url: target.url,
            ...(await new EdgeClient(target, terminal.fetch).models(terminal.signal)),
          }
        } catch (error) {
          return { url: target.url, error: sentence(error) }
        }
      }),
    )
    const failed = edges.flatMap((edge) => ('error' in edge ? [edge] : []))
    if (failed.length === edges.length) {
      throw new BridgeError(
        'EDGE_UNREACHABLE',
        `no edge answered:\n${failed.map(({ error }) => `  ${error}`).join('\n')}`,
      )
    }
    const lines = edges.map((edge) => {
      if ('error' in edge) return `${edge.url}  ${edge.error}`
      const { serving, epochs, gate } = edge
      const report = reportOf(gate)
      if (serving === null) return `${edge.url}  no model`
      return `${edge.url}  epoch ${serving.epoch}, delta ${serving.delta}, ${serving.items} items, ${serving.engine}, through ${serving.through ?? 'nothing yet'}; gate: ${report?.verdict ?? 'no report'}; has ${epochs.join(', ')}`
    })
    return { result: { edges }, lines }
  },
}
