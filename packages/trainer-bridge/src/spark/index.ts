export { databricksSubmitter, type DatabricksOptions } from './databricks.ts'
export { SparkError, type SparkErrorCode } from './errors.ts'
export { localSubmitter, type LocalSparkOptions } from './local.ts'
export { stepsOf, type SparkPlan, type SparkSource, type SparkStep } from './steps.ts'
export { type RunOptions, type SparkEvent, type Submitter } from './submitter.ts'
export { synapseSubmitter, type SynapseOptions, type SynapseSize } from './synapse.ts'
export {
  localTrainer,
  sparkTrainer,
  type SparkTrainerOptions,
  type Trained,
  type Trainer,
  type TrainerOptions,
} from './trainer.ts'
