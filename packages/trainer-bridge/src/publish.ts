import type { ItemAttributes } from '@attune/core'
import {
  deltaTensors,
  joinDelta,
  sha256Hex,
  writeSafetensors,
  type DeltaContent,
  type DeltaHeader,
} from '@attune/core/artifact'
import type { Signer } from './artifact/sign.ts'
import type { Release } from './push/release.ts'
import type { LiveModel } from './refresh/live-model.ts'
import type { MicroBatch, ModelChange } from './refresh/micro-batch.ts'

/** Attributes of one delta, in characters of JSON: a header is at most 4 MB, signed and in base64url. */
const MAX_ATTRIBUTES_LENGTH = 1_500_000

/**
 * Signs what a micro-batch changed and adds it to the release: one delta, and more only where a large piece of the
 * catalogue came. Only what depends on the micro-batch goes in, so a replay after a kill makes the same.
 *
 * @returns bytes of all of them
 */
export async function publish(
  release: Release,
  signer: Signer,
  model: LiveModel,
  batch: MicroBatch,
  { items, content, attributes }: ModelChange,
): Promise<number> {
  const [first, ...more] = piecesOf(attributes)
  let bytes = await addDelta(release, signer, model, batch, { items, content, attributes: first })
  for (const piece of more) {
    bytes += await addDelta(release, signer, model, batch, { items: [], content: {}, attributes: piece })
  }
  return bytes
}

async function addDelta(
  release: Release,
  signer: Signer,
  model: LiveModel,
  batch: MicroBatch,
  {
    items,
    content,
    attributes,
  }: { items: readonly string[]; content: DeltaContent; attributes: Piece | undefined },
): Promise<number> {
  const { dim, neighbours } = model.base
  const tensors = writeSafetensors(deltaTensors(content, dim, neighbours))
  const header: DeltaHeader = {
    format: 1,
    epoch: release.number,
    delta: release.delta + 1,
    through: model.through,
    created: new Date(batch.at).toISOString(),
    sha256: await sha256Hex(tensors),
    bytes: tensors.length,
    items,
    ...(attributes !== undefined && { attributes: Object.fromEntries(attributes) }),
  }
  const jws = await signer.sign(new TextEncoder().encode(JSON.stringify(header)), 'attune-delta+jws')
  const body = joinDelta(jws, tensors)
  release.add({ delta: header.delta, body, through: header.through })
  return body.length
}

type Piece = (readonly [item: string, attributes: ItemAttributes | null])[]

function piecesOf(attributes: ReadonlyMap<string, ItemAttributes | null>): Piece[] {
  const pieces: Piece[] = []
  let length = Infinity
  for (const entry of attributes) {
    const size = JSON.stringify(entry).length
    if (length + size > MAX_ATTRIBUTES_LENGTH) {
      pieces.push([])
      length = 0
    }
    pieces.at(-1)?.push(entry)
    length += size
  }
  return pieces
}
