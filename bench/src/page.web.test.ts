import { findBrowser } from '@attune/browsers'
import { expect, test } from 'vitest'
import { run } from './page.ts'

const skipped = findBrowser('chromium') === undefined

test.skipIf(skipped)(
  `the page of 200 cards with our script: no layout shift, fewer bytes than the others; everybody tells of the clicks${skipped ? ' (skipped: no Chromium found; set ATTUNE_CHROMIUM)' : ''}`,
  async () => {
    const result = (await run(['--rounds', '1'])) as Record<
      string,
      Record<'gz' | 'cls' | 'click_task_ms' | 'click_task_max_ms', number>
    >
    expect(result['attune']?.cls).toBe(0)
    expect(result['attune']?.gz).toBeLessThan((result['segment']?.gz ?? 0) / 3)
    expect(result['segment']?.gz).toBeLessThan(result['posthog']?.gz ?? 0)
    for (const { click_task_ms, click_task_max_ms } of [result['attune'], result['none']].flatMap(
      (cost) => cost ?? [],
    )) {
      expect(click_task_ms).toBeGreaterThan(0)
      expect(click_task_max_ms).toBeGreaterThanOrEqual(click_task_ms)
    }
  },
  180_000,
)
