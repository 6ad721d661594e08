import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { manifestBytes, type Artifact } from '../artifact/build.ts'
import { readArtifact, writeArtifact } from '../artifact/folder.ts'
import { handOver } from '../artifact/hand-over.ts'
import { createSigner, parseSigningKey } from '../artifact/sign.ts'
import { passGate, type GateQuestion } from '../gate/check.ts'
import { unseenBy } from '../gate/held-out.ts'
import { describeReport, reportOf } from '../gate/report.ts'
import { deliver } from '../push/deliver.ts'
import { EdgeClient } from '../push/edge-client.ts'
import { loadSessions } from '../train/load-sessions.ts'
import { EDGE_OPTIONS, EDGE_USAGE, edgesOf } from './edges.ts'
import { natural, required, shareOf, textOf, type Arguments, type Command, type Terminal } from './command.ts'
import { progressBar } from './progress.ts'
import { madeAt, servedBy } from './serving.ts'

/** `attune push --artifact DIR --edge URL …` */
export const push: Command = {
  summary: 'hand an artifact to a running bridge, or sign it and put it on every edge',
  usage:
    'attune push --artifact DIR [--epoch N] --bridge FOLDER\n' +
    '       attune push --artifact DIR [--epoch N] --edge URL [--edge URL …]\n' +
    '  --bridge     folder of a running bridge (its ATTUNE_FOLDER): it goes on from this model and pushes it\n' +
    `${EDGE_USAGE}\n` +
    '  --signing-key   file with the private key (or ATTUNE_SIGNING_KEY, the key itself)\n' +
    '  --data       folder with train.txt.gz, whose newest visits neither model has seen: compares the artifact with\n' +
    '               what is serving, unless `attune train` has done so\n' +
    '  --held-out   newest share of those visits (0.02)\n' +
    '  --against    artifact folder that has the epoch the edges serve (that of --artifact)\n' +
    '  --override-gate  push it all the same; the reason goes into its manifest\n' +
    'Without a bridge every edge must acknowledge it. Edges take only epochs newer than the one they serve: an older\n' +
    'number is raised past it. A bridge that runs would put its own model back: give it the artifact instead.',
  options: {
    ...EDGE_OPTIONS,
    artifact: { type: 'string' },
    bridge: { type: 'string' },
    epoch: { type: 'string' },
    'signing-key': { type: 'string' },
    data: { type: 'string' },
    'held-out': { type: 'string' },
    against: { type: 'string' },
    'override-gate': { type: 'string' },
  },
  async run(args, terminal) {
    const bridge = textOf(args, 'bridge')
    return bridge === undefined ? pushToEdges(args, terminal) : pushToBridge(bridge, args, terminal)
  },
}

async function pushToBridge(bridge: string, args: Arguments, terminal: Terminal) {
  const artifact = await readArtifact(required(args, terminal, 'artifact'), natural(args, 'epoch'))
  const served = await servedBy(bridge, false)
  const serving = served && { ...served.manifest, artifact: served }
  const passed = await pass(artifact, serving, args, terminal)
  await handOver(bridge, passed)
  const { epoch, gate } = passed.manifest
  return {
    result: { bridge, epoch, gate: reportOf(gate) },
    lines: [...gateLines(passed), `handed to the bridge of ${bridge}`],
  }
}

async function pushToEdges(args: Arguments, terminal: Terminal) {
  const { fetch, signal } = terminal
  const targets = edgesOf(args, terminal)
  const file = textOf(args, 'signing-key')
  const text =
    file === undefined
      ? required(args, terminal, 'signing-key', 'ATTUNE_SIGNING_KEY')
      : await readFile(file, 'utf8')
  const signer = await createSigner(parseSigningKey(text))
  const folder = required(args, terminal, 'artifact')
  let artifact = await readArtifact(folder, natural(args, 'epoch'))
  const stored = artifact.manifest
  const serving = await Promise.all(
    targets.map(async (target) => (await new EdgeClient(target, fetch).models(signal)).serving),
  )
  const others = serving.flatMap((state) =>
    state === null || state.created === stored.created ? [] : [state],
  )
  for (const { epoch, created } of new Map(others.map((state) => [state.created, state])).values()) {
    const served = await madeAt(textOf(args, 'against') ?? folder, created)
    artifact = await pass(artifact, { epoch, created, artifact: served }, args, terminal)
  }
  const manifest = {
    ...artifact.manifest,
    epoch: Math.max(stored.epoch, ...serving.map((state) => (state?.epoch ?? 0) + 1)),
  }
  const jws = await signer.sign(manifestBytes(manifest), 'attune-manifest+jws')
  const bytes = (sha256: string) => Promise.resolve(artifact.files.get(sha256) ?? new Uint8Array())
  const edges = await deliver(targets, { manifest, jws, file: bytes }, { fetch, signal })
  const raised =
    manifest.epoch === stored.epoch ? '' : ` (${stored.epoch} in its folder, raised past what is served)`
  return {
    result: { epoch: manifest.epoch, edges, gate: reportOf(manifest.gate) },
    lines: [
      ...(others.length === 0 ? [] : gateLines(artifact)),
      `epoch ${manifest.epoch}${raised}`,
      ...edges.map(({ url }) => `${url}  acknowledged`),
    ],
  }
}

function pass(
  candidate: Artifact,
  serving: GateQuestion['serving'],
  args: Arguments,
  terminal: Terminal,
): Promise<Artifact> {
  const data = textOf(args, 'data')
  const share = shareOf(args, 'held-out')
  const why = textOf(args, 'override-gate')
  if (why !== undefined) terminal.err(`gate overridden: ${why}`)
  const bar = progressBar(terminal)
  return passGate(
    {
      candidate,
      serving,
      heldOut:
        data === undefined
          ? undefined
          : async () =>
              unseenBy(
                await loadSessions(data),
                candidate.manifest.gate,
                serving?.artifact?.manifest.gate,
                share,
              ),
      why,
      now: terminal.now(),
    },
    async (held) => {
      const folder = join(required(args, terminal, 'artifact'), 'held')
      await writeArtifact(folder, held)
      terminal.status?.('')
      terminal.err(`its report is kept in ${folder}; nothing was pushed`)
    },
    { onProgress: (share) => bar('gate', share) },
  )
}

function gateLines({ manifest }: Artifact): string[] {
  const report = reportOf(manifest.gate)
  return report === undefined || report.verdict === 'first' ? [] : describeReport(report)
}
