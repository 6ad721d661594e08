import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { seededRandom } from '@attune/core/testing'
import { buildArtifact } from '../artifact/build.ts'
import { listEpochs, modelOf, writeArtifact } from '../artifact/folder.ts'
import { compareModels } from '../gate/gate.ts'
import { heldOutOf, HELD_OUT_SHARE, markOf } from '../gate/held-out.ts'
import { describeReport, FIRST, override, requirePassed } from '../gate/report.ts'
import { takeIn } from '../refresh/take-in.ts'
import { isSpark, SPARK_OPTIONS, SPARK_USAGE, sparkTrainerOf } from '../spark/command.ts'
import { localTrainer } from '../spark/trainer.ts'
import { loadSessions } from '../train/load-sessions.ts'
import { nodeScanner } from '../train/node-scanner.ts'
import { progressBar, trainingBar } from './progress.ts'
import { servedBy } from './serving.ts'
import { CliError, natural, required, shareOf, textOf, type Arguments, type Command } from './command.ts'

/** Where epochs that did not pass are kept, beside those that did. */
const HELD = 'held'

/** `attune train --data DIR --out DIR` */
export const train: Command = {
  summary: 'train a model on visits and write it as an artifact folder',
  usage:
    'attune train --data DIR --out DIR [--through TIME] [--iterations N] [--threads N] [--seed N]\n' +
    '             [--against DIR] [--held-out SHARE] [--override-gate WHY]\n' +
    '  --data   folder with train.txt.gz: a visit a line, item ids separated by spaces, oldest visit first\n' +
    '  --through  when the newest visit ended, ISO 8601; a bridge counts what was clicked after it (the file’s time when absent)\n' +
    '  --out    artifact folder; its next epoch is written, an interrupted training there goes on\n' +
    '  --against   artifact folder, or folder of a bridge, with what is serving: the new epoch must not be worse (newest epoch of --out)\n' +
    '  --held-out  newest share of visits to compare them on, not trained on (0.02)\n' +
    '  --override-gate  let a worse epoch out all the same; the reason is kept in it\n' +
    SPARK_USAGE,
  options: {
    data: { type: 'string' },
    out: { type: 'string' },
    through: { type: 'string' },
    iterations: { type: 'string' },
    threads: { type: 'string' },
    seed: { type: 'string' },
    against: { type: 'string' },
    'held-out': { type: 'string' },
    'override-gate': { type: 'string' },
    ...SPARK_OPTIONS,
  },
  async run(args, terminal) {
    const onSpark = isSpark(args)
    // Spark can read stored events itself, and says when the newest visit ended.
    const data = onSpark && args.values['source'] !== undefined ? undefined : required(args, terminal, 'data')
    const out = required(args, terminal, 'out')
    const threads = natural(args, 'threads')
    const [iterations, seed] = [natural(args, 'iterations'), natural(args, 'seed')]
    const told = data === undefined ? undefined : await throughOf(args, data)
    const serving = await servedBy(textOf(args, 'against') ?? out, args.values['against'] !== undefined)
    const share = shareOf(args, 'held-out')
    const why = textOf(args, 'override-gate')
    const started = terminal.now()
    const onProgress = trainingBar(terminal)
    // With nothing to compare with, every visit is trained on.
    const visits = data === undefined ? undefined : await loadSessions(data)
    const about = {
      out,
      ...(data !== undefined && { data }),
      ...(told !== undefined && { through: told }),
      heldOut: serving === undefined ? 0 : (share ?? HELD_OUT_SHARE),
    }
    const kept =
      onSpark || visits === undefined ? undefined : serving && heldOutOf(visits, serving.manifest.gate, share)
    const trainer =
      onSpark || visits === undefined
        ? await sparkTrainerOf(args, terminal, about)
        : localTrainer(visits, {
            ...(iterations !== undefined && { iterations }),
            ...(threads !== undefined && { threads }),
            ...(seed !== undefined && { seed }),
            checkpointFolder: join(out, 'checkpoints'),
            ...(kept && { heldOut: kept }),
          })
    const result = await trainer.train({ signal: terminal.signal, onProgress })
    const { model: trained, heldOut } = result
    const through = told ?? result.through ?? new Date(started).toISOString()
    const gateBar = progressBar(terminal)
    const compared =
      serving && heldOut
        ? await compareModels(trained, modelOf(serving), serving.manifest, heldOut, {
            ...(threads !== undefined && { threads }),
            onProgress: (share) => gateBar('gate', share),
          })
        : FIRST
    terminal.status?.('')
    const report = why === undefined ? compared : override(compared, why, terminal.now())
    const parent = (await listEpochs(out)).at(-1) ?? null
    const epoch = Math.max(parent ?? 0, serving?.manifest.epoch ?? 0) + 1
    const folder = report.verdict === 'failed' ? join(out, HELD) : out
    const model = heldOut === undefined ? trained : takeIn(trained, heldOut.visits)
    const { metrics } = model
    await writeArtifact(
      folder,
      await buildArtifact(model, {
        epoch,
        parent,
        created: new Date(terminal.now()).toISOString(),
        trainer: trainer.name,
        gate: { ...metrics, through, ...(visits && { newest: markOf(visits) }), report },
        makeScanner: nodeScanner,
        random: seededRandom(epoch),
      }),
    )
    if (report.verdict === 'failed') terminal.err(`kept aside in ${folder}; nothing was put into ${out}`)
    requirePassed(report, epoch)
    const seconds = Math.round((terminal.now() - started) / 1_000)
    const summary = {
      epoch,
      folder: out,
      items: model.ids.length,
      seconds,
      ...(metrics && { validation: metrics }),
      gate: report,
    }
    const measured =
      metrics && `; on held-out visits HR@20 ${metrics.hr20.toFixed(4)}, MRR@20 ${metrics.mrr20.toFixed(4)}`
    return {
      result: summary,
      lines: [
        `epoch ${epoch} of ${model.ids.length} items in ${out}, ${seconds} s${measured ?? ''}`,
        ...(serving === undefined ? [] : describeReport(report)),
      ],
    }
  },
}

/** @throws {CliError} `USAGE` */
async function throughOf(args: Arguments, data: string): Promise<string> {
  const { through } = args.values
  if (typeof through !== 'string') {
    // A missing file is complained of where it is read.
    const file = await stat(join(data, 'train.txt.gz')).catch(() => undefined)
    return (file?.mtime ?? new Date()).toISOString()
  }
  const at = Date.parse(through)
  if (Number.isNaN(at))
    throw new CliError('USAGE', `--through: expected an ISO 8601 time, received ${through}`)
  return new Date(at).toISOString()
}
