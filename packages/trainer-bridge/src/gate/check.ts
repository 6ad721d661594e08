import type { Artifact } from '../artifact/build.ts'
import { modelOf } from '../artifact/folder.ts'
import { compareModels, type Against, type GateOptions, type GateReport } from './gate.ts'
import type { HeldOut } from './held-out.ts'
import { FIRST, override, reportOf, requirePassed } from './report.ts'

export interface GateQuestion {
  readonly candidate: Artifact
  /**
   * What edges serve, without the deltas on top; undefined when they serve nothing. Without its files only a report that
   * the candidate brings can speak of it.
   */
  readonly serving: (Against & { readonly artifact: Artifact | undefined }) | undefined
  /** Visits the candidate was not trained on; undefined when there are none at hand. */
  readonly heldOut: (() => Promise<HeldOut>) | undefined
  /** Why it is let out whatever the comparison says. */
  readonly why: string | undefined
  readonly now: number
}

/**
 * The report that lets an epoch out: the one it carries when that speaks of what is serving, else one made now.
 *
 * @returns undefined when there is nothing to compare on
 * @throws {BridgeError} `GATE_DATA_TOO_SMALL`
 */
export async function gateReport(
  question: GateQuestion,
  options?: GateOptions,
): Promise<GateReport | undefined> {
  const { why, now } = question
  const comparing = compared(question, options)
  if (why === undefined) return comparing
  // A model that cannot be compared, such as one brought along, can still be let out on somebody's word.
  return override(await comparing.catch(() => undefined), why, now)
}

async function compared(
  { candidate, serving, heldOut }: GateQuestion,
  options?: GateOptions,
): Promise<GateReport | undefined> {
  const carried = reportOf(candidate.manifest.gate)
  if (serving === undefined) return carried ?? FIRST
  const { epoch, created, artifact } = serving
  if (carried !== undefined && carried.against?.created === created) return carried
  if (artifact === undefined) return undefined
  if (isSame(candidate, artifact)) return carried ?? FIRST
  if (heldOut === undefined) return undefined
  return compareModels(modelOf(candidate), modelOf(artifact), { epoch, created }, await heldOut(), options)
}

/** The same factors and tables: nothing to compare. */
function isSame({ manifest: { files: a } }: Artifact, { manifest: { files: b } }: Artifact): boolean {
  return (['factors', 'tables', 'weights'] as const).every((role) => a[role]?.sha256 === b[role]?.sha256)
}

/** The artifact with its report in the manifest. */
export function withReport({ manifest, files }: Artifact, report: GateReport): Artifact {
  return { manifest: { ...manifest, gate: { ...manifest.gate, report } }, files }
}

/**
 * Lets an artifact out, or keeps it aside with its report.
 *
 * @param keep - puts what did not pass where it can be looked at
 * @returns the artifact with the report that let it out
 * @throws {BridgeError} `GATE_FAILED`, `GATE_MISSING`
 */
export async function passGate(
  question: GateQuestion,
  keep: (held: Artifact) => Promise<unknown>,
  options?: GateOptions,
): Promise<Artifact> {
  const { candidate } = question
  const { epoch } = candidate.manifest
  const report = await gateReport(question, options)
  if (report?.verdict === 'failed') await keep(withReport(candidate, report))
  return withReport(candidate, requirePassed(report, epoch))
}
