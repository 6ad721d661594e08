import { CodedError } from '@attune/core'

export type SparkErrorCode =
  | 'SPARK_OPTION_INVALID' // settings that name no place to run, or a place to run that lacks one
  | 'SPARK_MISSING' // no spark-submit where one was to be started
  | 'SPARK_UNAUTHORIZED' // the service does not know who asks, or that one may not
  | 'SPARK_UNREACHABLE' // no answer, or one that is not the protocol's
  | 'SPARK_REFUSED' // the service does not take the job
  | 'SPARK_JOB_FAILED' // a step ended without success; the message has its own reason
  | 'SPARK_ABORTED' // the signal fired; the job was cancelled
  | 'SPARK_TIMED_OUT' // the job took longer than it may; it was cancelled
  | 'SPARK_RESULT_MISSING' // the job ended well, and what it should have written is not there

/** A job on Spark cannot be run to its end. */
export class SparkError extends CodedError<SparkErrorCode> {
  override readonly name = 'SparkError'
}
