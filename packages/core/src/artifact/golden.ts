import { describe } from '../error.ts'
import { ArtifactError } from './errors.ts'

/** Inputs and outputs both graphs of an epoch must reproduce before it is served. Histories are oldest first. */
export interface Golden {
  readonly encoder: readonly {
    readonly items: readonly string[]
    readonly kinds: readonly number[]
    /** Hours before the newest. */
    readonly ages: readonly number[]
    readonly query: readonly number[]
  }[]
  readonly ranker: readonly {
    /** History that gives the query. */
    readonly items: readonly string[]
    readonly candidates: readonly string[]
    readonly features: readonly (readonly number[])[]
    readonly context: readonly number[]
    readonly scores: readonly number[]
  }[]
  /** The whole way, from history to list. */
  readonly rank: readonly {
    readonly history: readonly { readonly item: string; readonly kind: number; readonly age: number }[]
    readonly top: readonly string[]
  }[]
}

export const GOLDEN_TOLERANCE = 1e-4

/** @throws {ArtifactError} `ARTIFACT_MALFORMED` when it is not golden vectors, or has fewer than one of a sort */
export function parseGolden(bytes: Uint8Array): Golden {
  let input: unknown
  try {
    input = JSON.parse(new TextDecoder().decode(bytes))
  } catch (cause) {
    throw new ArtifactError('ARTIFACT_MALFORMED', 'golden: not JSON', { cause })
  }
  const { encoder, ranker, rank } = (input ?? {}) as Record<string, unknown>
  for (const [name, list] of Object.entries({ encoder, ranker, rank })) {
    if (
      !Array.isArray(list) ||
      list.length === 0 ||
      !list.every((entry) => typeof entry === 'object' && entry !== null)
    ) {
      throw new ArtifactError(
        'ARTIFACT_MALFORMED',
        `golden.${name}: expected at least one vector, received ${describe(list)}`,
      )
    }
  }
  return input as Golden
}
