export {
  buildArtifact,
  manifestBytes,
  walkHistories,
  type Artifact,
  type ArtifactOptions,
} from './artifact/build.ts'
export { keepEpochs, listEpochs, modelOf, readArtifact, writeArtifact } from './artifact/folder.ts'
export {
  asSigningKey,
  createSigner,
  generateSigningKey,
  loadOrCreateSigningKey,
  parseSigningKey,
  publicJwk,
  type SignedType,
  type Signer,
  type SigningKey,
} from './artifact/sign.ts'
export type { BridgeLimits, BridgeStatus, FirstModel, NewBase } from './bridge-deps.ts'
export { Bridge } from './bridge.ts'
export type { Terminal } from './cli/command.ts'
export { runCli } from './cli/run.ts'
export { BridgeError, type BridgeErrorCode } from './error.ts'
export { EdgeClient, EdgeProblem, type Acknowledged, type EdgeTarget } from './push/edge-client.ts'
export { deliver, type Delivery } from './push/deliver.ts'
export type { EdgeStatus } from './push/follow.ts'
export { passGate, gateReport, type GateQuestion } from './gate/check.ts'
export { compareModels, type Against, type GateOptions, type GateReport } from './gate/gate.ts'
export { heldOutOf, markOf, unseenBy, visitsSeen, type HeldOut } from './gate/held-out.ts'
export { BOUNDS, type Finding, type GateMetric } from './gate/judge.ts'
export { describeReport, FIRST, override, reportOf, requirePassed } from './gate/report.ts'
export { storedVisit, takeIn } from './refresh/take-in.ts'
export { LiveModel, type LiveState } from './refresh/live-model.ts'
export type { FeedPage, MicroBatch, ModelChange } from './refresh/micro-batch.ts'
export {
  startMember,
  type ClusterOptions,
  type Member,
  type MemberOptions,
  type MemberStatus,
} from './cluster/member.ts'
export { readState, type KeptState } from './state/inspect.ts'
export { startBridge, type BridgeOptions } from './start.ts'
export * from './spark/index.ts'
export * from './train/index.ts'
export { Windows, type CountSink, type StoredBatch, type WindowsState } from './windows.ts'
export { BYTES_A_BATCH, CHARGES, EVENTS_A_BATCH } from './plan/charges.ts'
export { plan, type Plan, type PlanInput } from './plan/plan.ts'
