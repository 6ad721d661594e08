import type { StepName, SparkStep } from './steps.ts'

/** What a job says while it runs. */
export type SparkEvent =
  | { readonly type: 'state'; readonly step: StepName; readonly state: string; readonly page?: string }
  | { readonly type: 'line'; readonly step: StepName; readonly line: string }

export interface RunOptions {
  readonly signal?: AbortSignal
  readonly onEvent?: (event: SparkEvent) => void
}

/** A place that runs Spark jobs. Adapters: this machine, Databricks, Synapse. */
export interface Submitter {
  readonly name: string
  /**
   * Runs the steps one after the other to the end of the last; cancels what runs when the signal fires.
   *
   * @throws {SparkError} every code but `SPARK_RESULT_MISSING`
   */
  run(steps: readonly SparkStep[], options?: RunOptions): Promise<void>
  /**
   * Copies a folder that a job wrote to this machine, replacing files of the same names.
   *
   * @throws {SparkError} `SPARK_RESULT_MISSING`, `SPARK_UNAUTHORIZED`, `SPARK_UNREACHABLE`
   */
  collect(remote: string, folder: string, signal?: AbortSignal): Promise<void>
}

/** What a job printed for us: `attune: {…}`. */
export interface Report {
  readonly phase?: string
  readonly step?: string
  readonly iteration?: number
  readonly iterations?: number
  readonly loss?: number | null
  readonly hr20?: number | null
  readonly error?: { readonly code: string; readonly message: string }
}

const PREFIX = 'attune: '

/** @returns undefined for lines that are not for us */
export function reportIn(line: string): Report | undefined {
  const at = line.indexOf(PREFIX)
  if (at < 0) return undefined
  try {
    const report: unknown = JSON.parse(line.slice(at + PREFIX.length))
    return typeof report === 'object' && report !== null ? report : undefined
  } catch {
    return undefined
  }
}

/** The job's own reason for having failed, as far as its output has one. */
export function reasonIn(lines: readonly string[]): string {
  for (const line of lines.toReversed()) {
    const error = reportIn(line)?.error
    if (error !== undefined) return error.message
  }
  const exception = lines.findLast((line) => /^[\w.]*(Error|Exception|Interrupt)\b/.test(line))
  return exception ?? lines.findLast((line) => line.trim() !== '') ?? 'it printed nothing'
}
