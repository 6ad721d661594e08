import { CodedError } from '../error.ts'

export type ArtifactErrorCode =
  | 'ARTIFACT_MALFORMED' // bytes or JSON that do not parse as what they should be
  | 'ARTIFACT_SIGNATURE_INVALID' // not signed by a key this edge trusts
  | 'ARTIFACT_DIGEST_MISMATCH' // bytes are not those the manifest names
  | 'ARTIFACT_FILE_MISSING' // the manifest names a file that was never uploaded
  | 'ARTIFACT_SHAPE_MISMATCH' // tensors of another shape or type than the manifest promises
  | 'ARTIFACT_VERSION_UNSUPPORTED' // written by a newer trainer
  | 'ARTIFACT_EPOCH_STALE' // not newer than the epoch being served
  | 'ARTIFACT_GOLDEN_MISMATCH' // graphs do not reproduce the golden vectors
  | 'ARTIFACT_FEATURE_UNKNOWN' // the ranker wants a feature this edge cannot compute
  | 'ARTIFACT_OPSET_UNSUPPORTED' // a graph of a version of ONNX that this edge's runtime does not take
  | 'ARTIFACT_GRAPH_UNBOUNDED' // a graph that repeats itself, or whose work comes of values
  | 'ARTIFACT_TOO_LARGE' // a graph of more bytes than an edge has the memory for
  | 'ARTIFACT_TOO_SLOW' // a list takes longer than this edge allows
  | 'DELTA_GAP' // not the next delta
  | 'DELTA_EPOCH_MISMATCH' // a delta to another epoch

/** The artifact or delta cannot be served. The caller keeps the epoch it has. */
export class ArtifactError extends CodedError<ArtifactErrorCode> {
  override readonly name = 'ArtifactError'
}
