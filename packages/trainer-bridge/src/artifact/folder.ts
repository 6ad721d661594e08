import { mkdir, readFile, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import {
  ArtifactError,
  parseManifest,
  readModel,
  sha256Hex,
  type FileRole,
  type Manifest,
} from '@attune/core/artifact'
import { readWeights } from '@attune/core/rank'
import { BridgeError } from '../error.ts'
import { writeAtomically } from '../state/files.ts'
import type { TrainedModel } from '../train/trained-model.ts'
import type { Artifact } from './build.ts'

// An artifact folder: epochs/<n>/manifest.json and files/<sha256>, shared by epochs.

/** Writes an epoch; the manifest last, so that one that is there is complete. */
export async function writeArtifact(folder: string, { manifest, files }: Artifact): Promise<void> {
  const epoch = join(folder, 'epochs', String(manifest.epoch))
  await mkdir(join(folder, 'files'), { recursive: true })
  await mkdir(epoch, { recursive: true })
  for (const [sha256, bytes] of files) {
    const path = join(folder, 'files', sha256)
    const known = await stat(path).catch(() => undefined)
    if (known?.size !== bytes.length) await writeAtomically(path, bytes)
  }
  await writeAtomically(join(epoch, 'manifest.json'), JSON.stringify(manifest, null, 2))
}

/** Epochs of a folder that are complete, oldest first; empty when there is no such folder. */
export async function listEpochs(folder: string): Promise<number[]> {
  const names = await readdir(join(folder, 'epochs')).catch(() => [])
  const complete = await Promise.all(
    names.map(async (name) => {
      const epoch = Number(name)
      const manifest = await stat(join(folder, 'epochs', name, 'manifest.json')).catch(() => undefined)
      return Number.isSafeInteger(epoch) && epoch > 0 && manifest !== undefined ? [epoch] : []
    }),
  )
  return complete.flat().sort((a, b) => a - b)
}

/** The manifest of an epoch; undefined when it is not there. */
export async function readManifest(folder: string, epoch: number): Promise<Manifest | undefined> {
  const path = join(folder, 'epochs', String(epoch), 'manifest.json')
  const text = await readFile(path, 'utf8').catch(() => undefined)
  return text === undefined ? undefined : parseManifest(JSON.parse(text))
}

/**
 * Reads an epoch, every file checked against its digest.
 *
 * @param epoch - the newest when absent
 * @throws {BridgeError} `ARTIFACT_FOLDER_MISSING`; {ArtifactError} `ARTIFACT_DIGEST_MISMATCH`, `ARTIFACT_MALFORMED`
 */
export async function readArtifact(folder: string, epoch?: number): Promise<Artifact> {
  const chosen = epoch ?? (await listEpochs(folder)).at(-1)
  const manifest = chosen === undefined ? undefined : await readManifest(folder, chosen)
  if (manifest === undefined) {
    throw new BridgeError(
      'ARTIFACT_FOLDER_MISSING',
      `${folder}: expected epochs/${chosen ?? '<n>'}/manifest.json; write one with \`attune train --out\``,
    )
  }
  const files = new Map<string, Uint8Array>()
  for (const { sha256 } of Object.values(manifest.files)) {
    const bytes = await readFile(join(folder, 'files', sha256)).catch((cause: unknown) => {
      throw new ArtifactError(
        'ARTIFACT_FILE_MISSING',
        `epoch ${manifest.epoch}: file ${sha256} is not in ${folder}`,
        {
          cause,
        },
      )
    })
    const received = await sha256Hex(bytes)
    if (received !== sha256) {
      throw new ArtifactError(
        'ARTIFACT_DIGEST_MISMATCH',
        `epoch ${manifest.epoch}: expected sha-256 ${sha256}, received ${received} (${bytes.length} bytes)`,
      )
    }
    files.set(sha256, bytes)
  }
  return { manifest, files }
}

/**
 * An epoch of the standard model → the arrays it was built from.
 *
 * @throws {ArtifactError} `ARTIFACT_FILE_MISSING` for a bring-your-own model, which has no weights we can go on with
 */
export function modelOf({ manifest, files }: Artifact): TrainedModel {
  const file = (role: FileRole): Uint8Array => {
    const bytes = files.get(manifest.files[role]?.sha256 ?? '')
    if (bytes === undefined) {
      throw new ArtifactError('ARTIFACT_FILE_MISSING', `epoch ${manifest.epoch}: no ${role} in the artifact`)
    }
    return bytes
  }
  const data = readModel(manifest, {
    factors: file('factors'),
    tables: file('tables'),
    items: file('items'),
    weights: file('weights'),
  })
  const { srItems, srScores, srScales, srSums, popularity, trend, together } = data
  return {
    ids: data.ids,
    ...(data.attributes && { attributes: data.attributes }),
    dim: manifest.dim,
    historyLength: manifest.historyLength,
    neighbours: manifest.neighbours,
    temperature: manifest.temperature,
    factors: data.factors,
    tables: { srItems, srScores, srScales, srSums, popularity, trend, ...(together && { together }) },
    weights: readWeights(data.weights ?? new Map(), manifest.dim, manifest.historyLength),
    metrics: undefined,
  }
}

/** Deletes epochs but those named, and files that no epoch left names. */
export async function keepEpochs(folder: string, keep: ReadonlySet<number>): Promise<void> {
  const named = new Set<string>()
  for (const epoch of await listEpochs(folder)) {
    const path = join(folder, 'epochs', String(epoch))
    if (!keep.has(epoch)) {
      await rm(path, { recursive: true, force: true })
      continue
    }
    const manifest = await readManifest(folder, epoch)
    for (const { sha256 } of Object.values(manifest?.files ?? {})) named.add(sha256)
  }
  for (const name of await readdir(join(folder, 'files')).catch(() => [])) {
    if (!named.has(name)) await rm(join(folder, 'files', name), { force: true })
  }
}
