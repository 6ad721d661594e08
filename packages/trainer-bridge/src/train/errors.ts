import { CodedError } from '@attune/core'

export type TrainErrorCode =
  | 'TRAIN_DATA_MALFORMED' // offsets, rows or ids that do not fit each other
  | 'TRAIN_DATA_MISSING' // no file of visits there
  | 'TRAIN_DATA_TOO_SMALL' // nothing to learn from
  | 'TRAIN_OPTION_INVALID' // an option outside its range
  | 'TRAIN_ABORTED' // the signal fired; checkpoints stay
  | 'TRAIN_DIVERGED' // the loss is no longer a number
  | 'TRAIN_WORKER_FAILED' // a worker thread died
  | 'TRAIN_KERNEL_MISSING' // the wasm kernels have not been built
  | 'TRAIN_CHECKPOINT_UNREADABLE' // a file in the checkpoint folder that is not one
  | 'TRAIN_GOLDEN_TOO_FEW' // not enough histories for golden vectors

/** Training cannot go on. */
export class TrainError extends CodedError<TrainErrorCode> {
  override readonly name = 'TrainError'
}
