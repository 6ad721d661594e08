import { describe } from '@attune/core'
import { ArtifactError } from '@attune/core/artifact'

/** A graph that cannot be run, or golden vectors of another shape: the fault of who pushed, whatever was thrown. */
export async function orMalformed(check: () => Promise<void>): Promise<void> {
  try {
    await check()
  } catch (cause) {
    if (cause instanceof ArtifactError) throw cause
    const reason = describeError(cause).slice(0, 200)
    throw new ArtifactError('ARTIFACT_MALFORMED', `golden vectors could not be run: ${reason}`, { cause })
  }
}

export function withoutOrt(epoch: number): ArtifactError {
  const message = `epoch ${epoch}: expected weights, as this edge is built without ONNX Runtime; received graphs alone`
  return new ArtifactError('ARTIFACT_FILE_MISSING', message)
}

export function describeError(error: unknown): string {
  return error instanceof Error ? error.message : describe(error)
}
