import { SparkError } from './errors.ts'

/** The three programs of packages/trainer-bridge/spark, in order. */
export type StepName = 'prepare' | 'train' | 'export'

export interface SparkStep {
  readonly name: StepName
  readonly args: readonly string[]
}

/** Where prepare reads: options of prepare.py without their dashes, as `{ source: 'cosmos.oltp', endpoint: '…' }`. */
export type SparkSource = Readonly<Record<string, string | number>> & { readonly source: string }

export interface SparkPlan {
  readonly source: SparkSource
  /** A folder that every node of the cluster can open: a volume, a mount, an abfss:// address, a folder of this machine. */
  readonly work: string
  readonly processes?: number
  readonly gpu?: boolean
  /** All processes of PyTorch on the driver's machine. */
  readonly localMode?: boolean
  readonly iterations?: number
  readonly seed?: number
  readonly neighbours?: number
  /** Newest share of visits kept away from training, to be compared on; 0 when absent. */
  readonly heldOut?: number
}

/** Where the steps of a plan write. */
export function foldersOf({ work }: Pick<SparkPlan, 'work'>): {
  data: string
  model: string
  artifact: string
} {
  const root = work.replace(/\/+$/, '')
  return { data: `${root}/data`, model: `${root}/model`, artifact: `${root}/artifact` }
}

/** @throws {SparkError} `SPARK_OPTION_INVALID` */
export function stepsOf(plan: SparkPlan): SparkStep[] {
  const { source, gpu = false, localMode = false, processes, iterations, seed, neighbours, heldOut } = plan
  if (plan.work.trim() === '') throw new SparkError('SPARK_OPTION_INVALID', 'work: expected a folder')
  for (const [name, value] of Object.entries({ processes, iterations, seed, neighbours })) {
    if (value !== undefined && !(Number.isInteger(value) && value >= 1)) {
      throw new SparkError(
        'SPARK_OPTION_INVALID',
        `${name}: expected a whole number from 1, received ${value}`,
      )
    }
  }
  const { data, model, artifact } = foldersOf(plan)
  const flags = (options: Readonly<Record<string, string | number | undefined>>) =>
    Object.entries(options).flatMap(([name, value]) =>
      value === undefined ? [] : [`--${name}`, String(value)],
    )
  return [
    {
      name: 'prepare',
      args: flags({ ...source, output: data, neighbours, 'held-out': heldOut }),
    },
    {
      name: 'train',
      args: [
        ...flags({ input: data, output: model, processes, iterations, seed }),
        ...(gpu ? ['--gpu'] : []),
        ...(localMode ? ['--local-mode'] : []),
      ],
    },
    { name: 'export', args: flags({ input: data, model, output: artifact, seed }) },
  ]
}
