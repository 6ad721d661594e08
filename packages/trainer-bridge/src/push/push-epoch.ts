import { EdgeProblem, type Acknowledged, type EdgeClient } from './edge-client.ts'
import type { SignedEpoch } from './release.ts'

/**
 * Puts an epoch on an edge: the manifest first, which an edge that has the files acknowledges at once; then the files
 * it is not known to have, and the manifest again.
 *
 * @param uploaded - digests this edge has taken; added to
 * @throws {EdgeProblem | BridgeError} when the edge refuses it or does not answer; the edge keeps what it serves
 */
export async function pushEpoch(
  client: EdgeClient,
  { manifest, jws, file }: SignedEpoch,
  uploaded: Set<string>,
  signal: AbortSignal,
): Promise<Acknowledged> {
  try {
    return await client.putEpoch(manifest.epoch, jws, signal)
  } catch (error) {
    if (!isMissing(error)) throw error
  }
  const digests = Object.values(manifest.files).map(({ sha256 }) => sha256)
  const upload = async (missing: readonly string[]): Promise<Acknowledged> => {
    for (const sha256 of missing) {
      await client.putFile(sha256, await file(sha256), signal)
      uploaded.add(sha256)
    }
    return client.putEpoch(manifest.epoch, jws, signal)
  }
  try {
    return await upload(digests.filter((sha256) => !uploaded.has(sha256)))
  } catch (error) {
    if (!isMissing(error)) throw error
    // The edge lost files it had taken: its store was emptied.
    return upload(digests)
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof EdgeProblem && error.code === 'ARTIFACT_FILE_MISSING'
}
