import type { Manifest } from '@attune/core/artifact'

/** Both graphs of an epoch that nobody has run yet. */
export interface UntriedGraphs {
  readonly manifest: Manifest
  readonly encoder: Uint8Array
  readonly ranker: Uint8Array
}

/**
 * Runs graphs once at their largest, where they can be stopped and take nothing from visitors.
 *
 * @throws {ArtifactError} `ARTIFACT_TOO_SLOW`, or what else is wrong with them
 */
export type Trial = (graphs: UntriedGraphs) => Promise<void>
