import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseDeltaHeader, parseManifest, readModel, splitDelta } from '@attune/core/artifact'
import { ServingModel, TypeScriptScanner } from '@attune/core/rank'

/**
 * What a Node edge serves, out of its folder: the active epoch and every delta of its log in order. Core refuses a delta
 * that does not follow, so a log with a gap ends here.
 */
export async function servedModel(folder: string): Promise<ServingModel | undefined> {
  const active = await readFile(join(folder, 'active.json'), 'utf8').catch(() => undefined)
  if (active === undefined) return undefined
  const { epoch } = JSON.parse(active) as { epoch: number }
  const manifest = parseManifest(payloadOf(await readFile(join(folder, 'epochs', `${epoch}.jws`), 'utf8')))
  const file = async (role: 'factors' | 'tables' | 'items' | 'weights') => {
    const buffer = await readFile(join(folder, 'files', manifest.files[role]?.sha256 ?? ''))
    return new Uint8Array(buffer)
  }
  const [factors, tables, items, weights] = await Promise.all([
    file('factors'),
    file('tables'),
    file('items'),
    file('weights'),
  ])
  const data = readModel(manifest, { factors, tables, items, weights })
  const model = new ServingModel(manifest, data, (dim, capacity) => new TypeScriptScanner(dim, capacity))
  const log = join(folder, 'deltas', String(epoch))
  const names = await readdir(log).catch(() => [])
  for (const number of names.map((name) => parseInt(name, 10)).sort((a, b) => a - b)) {
    const { jws, tensors } = splitDelta(new Uint8Array(await readFile(join(log, `${number}.delta`))))
    model.apply(parseDeltaHeader(payloadOf(jws)), tensors)
  }
  return model
}

function payloadOf(jws: string): unknown {
  return JSON.parse(Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString('utf8'))
}
