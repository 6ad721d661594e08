import type { Manifest } from '@attune/core/artifact'
import { BridgeError } from '../error.ts'
import type { GateReport } from './gate.ts'
import type { GateMetric } from './judge.ts'

const NAMES: Readonly<Record<GateMetric, string>> = {
  hr20: 'HR@20',
  mrr20: 'MRR@20',
  coverage: 'catalogue shown',
  popularity: 'popularity',
}

/** Nothing was serving that an epoch could be worse than. */
export const FIRST: GateReport = {
  verdict: 'first',
  against: null,
  visits: 0,
  prefixes: 0,
  confidence: 0,
  findings: [],
}

/** The report an epoch carries; undefined when it was never held against another. */
export function reportOf(gate: Manifest['gate']): GateReport | undefined {
  const report = gate?.['report']
  const { verdict, findings } = (report ?? {}) as Partial<GateReport>
  return typeof verdict === 'string' && Array.isArray(findings) ? (report as GateReport) : undefined
}

/** A failing report becomes one that lets the epoch out, with the reason; others stay as they are. */
export function override(report: GateReport | undefined, why: string, now: number): GateReport {
  if (report !== undefined && report.verdict !== 'failed') return report
  return {
    ...(report ?? FIRST),
    verdict: 'overridden',
    override: { why, at: new Date(now).toISOString() },
  }
}

/** A line for each finding, for people. */
export function describeReport(report: GateReport): string[] {
  const { verdict, against, visits, prefixes, findings, override: overridden } = report
  if (against === null) return [`gate: ${verdict === 'first' ? 'nothing to compare with' : verdict}`]
  const signed = (value: number) => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(4)}`
  return [
    `gate: ${verdict} against epoch ${against.epoch} on ${visits} held-out visits (${prefixes} prefixes)`,
    ...findings.map(
      ({ metric, candidate, serving, difference, interval: [low, high], bound, judgedBy, ok }) =>
        `  ${ok ? 'ok   ' : 'WORSE'} ${NAMES[metric].padEnd(15)} ${candidate.toFixed(4)} against ${serving.toFixed(4)}: ` +
        `${signed(difference)}, 95 % interval ${signed(low)} to ${signed(high)}, ${metric === 'popularity' ? '+' : '−'}${bound} allowed` +
        (judgedBy === 'estimate' ? ' (too few visits for the interval to decide)' : ''),
    ),
    ...(report.seen === true
      ? [
          '  the serving epoch was trained on these visits, which favours it; more than a few newer ones would be fairer',
        ]
      : []),
    ...(overridden ? [`  overridden: ${overridden.why}`] : []),
  ]
}

/**
 * Lets an epoch pass or says why not.
 *
 * @param report - undefined: never compared
 * @throws {BridgeError} `GATE_FAILED`, `GATE_MISSING`
 */
export function requirePassed(report: GateReport | undefined, epoch: number): GateReport {
  if (report === undefined) {
    throw new BridgeError(
      'GATE_MISSING',
      `epoch ${epoch} was never held against the one serving; compare it with --data DIR (visits neither has seen), or say why that is not needed: --override-gate "why"`,
    )
  }
  if (report.verdict !== 'failed') return report
  throw new BridgeError(
    'GATE_FAILED',
    `epoch ${epoch} is worse than the one serving and was not let out; its report:\n${describeReport(report).join('\n')}\n` +
      'train it on more or newer visits, or let it out all the same: --override-gate "why"',
    {
      issues: report.findings
        .filter(({ ok }) => !ok)
        .map(({ metric, difference, bound }) => ({
          path: metric,
          code: 'GATE_FAILED',
          message: `${NAMES[metric]}: ${difference} against the serving epoch, ${bound} allowed`,
        })),
    },
  )
}
