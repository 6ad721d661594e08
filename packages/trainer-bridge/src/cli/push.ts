import { readFile } from 'node:fs/promises'
import { manifestBytes } from '../artifact/build.ts'
import { readArtifact } from '../artifact/folder.ts'
import { handOver } from '../artifact/hand-over.ts'
import { createSigner, parseSigningKey } from '../artifact/sign.ts'
import { deliver } from '../push/deliver.ts'
import { EdgeClient } from '../push/edge-client.ts'
import { EDGE_OPTIONS, EDGE_USAGE, edgesOf } from './edges.ts'
import { natural, required, type Command } from './command.ts'

/** `attune push --artifact DIR --edge URL …` */
export const push: Command = {
  summary: 'hand an artifact to a running bridge, or sign it and put it on every edge',
  usage:
    'attune push --artifact DIR [--epoch N] --bridge FOLDER\n' +
    '       attune push --artifact DIR [--epoch N] --edge URL [--edge URL …]\n' +
    '  --bridge     folder of a running bridge (its ATTUNE_FOLDER): it goes on from this model and pushes it\n' +
    `${EDGE_USAGE}\n` +
    '  --signing-key   file with the private key (or ATTUNE_SIGNING_KEY, the key itself)\n' +
    'Without a bridge every edge must acknowledge it. Edges take only epochs newer than the one they serve: an older\n' +
    'number is raised past it. A bridge that runs would put its own model back: give it the artifact instead.',
  options: {
    ...EDGE_OPTIONS,
    artifact: { type: 'string' },
    bridge: { type: 'string' },
    epoch: { type: 'string' },
    'signing-key': { type: 'string' },
  },
  async run(args, terminal) {
    const { fetch, signal } = terminal
    const { bridge } = args.values
    if (typeof bridge === 'string') {
      const artifact = await readArtifact(required(args, terminal, 'artifact'), natural(args, 'epoch'))
      await handOver(bridge, artifact)
      return {
        result: { bridge, epoch: artifact.manifest.epoch },
        lines: [`handed to the bridge of ${bridge}`],
      }
    }
    const targets = edgesOf(args, terminal)
    const file = args.values['signing-key']
    const text =
      typeof file === 'string'
        ? await readFile(file, 'utf8')
        : required(args, terminal, 'signing-key', 'ATTUNE_SIGNING_KEY')
    const signer = await createSigner(parseSigningKey(text))
    const { manifest: stored, files } = await readArtifact(
      required(args, terminal, 'artifact'),
      natural(args, 'epoch'),
    )
    const serving = await Promise.all(
      targets.map(async (target) => (await new EdgeClient(target, fetch).models(signal)).serving?.epoch ?? 0),
    )
    const manifest = { ...stored, epoch: Math.max(stored.epoch, ...serving.map((epoch) => epoch + 1)) }
    const jws = await signer.sign(manifestBytes(manifest), 'attune-manifest+jws')
    const bytes = (sha256: string) => Promise.resolve(files.get(sha256) ?? new Uint8Array())
    const edges = await deliver(targets, { manifest, jws, file: bytes }, { fetch, signal })
    const raised =
      manifest.epoch === stored.epoch ? '' : ` (${stored.epoch} in its folder, raised past what is served)`
    return {
      result: { epoch: manifest.epoch, edges },
      lines: [`epoch ${manifest.epoch}${raised}`, ...edges.map(({ url }) => `${url}  acknowledged`)],
    }
  },
}
