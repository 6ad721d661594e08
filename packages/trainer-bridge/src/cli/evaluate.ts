import { modelOf, readArtifact } from '../artifact/folder.ts'
import { evaluateModel } from '../train/evaluate.ts'
import { loadPrefixes } from '../train/load-sessions.ts'
import { progressBar } from './progress.ts'
import { natural, required, type Command } from './command.ts'

/** `attune evaluate --artifact DIR --data DIR` */
export const evaluate: Command = {
  summary: 'rank test prefixes with an artifact, as an edge would, and count the hits',
  usage:
    'attune evaluate --artifact DIR --data DIR [--epoch N] [--limit N] [--k 20]\n' +
    '  --data   folder with test-prefixes.txt.gz: item ids separated by spaces, TAB, the item that came next',
  options: {
    artifact: { type: 'string' },
    data: { type: 'string' },
    epoch: { type: 'string' },
    limit: { type: 'string' },
    k: { type: 'string' },
  },
  async run(args, terminal) {
    const k = natural(args, 'k') ?? 20
    const artifact = await readArtifact(required(args, terminal, 'artifact'), natural(args, 'epoch'))
    const prefixes = await loadPrefixes(required(args, terminal, 'data'), natural(args, 'limit'))
    const started = terminal.now()
    const bar = progressBar(terminal)
    const { hr, mrr, ndcg, queries, encoderOnly, candidates } = await evaluateModel(
      modelOf(artifact),
      prefixes,
      { k, onProgress: (ranked, all) => bar('ranking', ranked / all) },
    )
    terminal.status?.('')
    const result = {
      epoch: artifact.manifest.epoch,
      prefixes: queries,
      k,
      hr,
      mrr,
      ndcg,
      hrEncoderOnly: encoderOnly.hr,
      mrrEncoderOnly: encoderOnly.mrr,
      candidates,
      seconds: (terminal.now() - started) / 1_000,
    }
    return {
      result,
      lines: [
        `epoch ${result.epoch}, ${queries} prefixes: HR@${k} ${hr.toFixed(4)}, MRR@${k} ${mrr.toFixed(4)}, NDCG@${k} ${ndcg.toFixed(4)}`,
        `the encoder alone: HR@${k} ${encoderOnly.hr.toFixed(4)}, MRR@${k} ${encoderOnly.mrr.toFixed(4)}`,
      ],
    }
  },
}
