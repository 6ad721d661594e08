import { findBrowser } from '@attune/browsers'
import { expect, test } from 'vitest'
import { run } from './delivery.ts'

const skipped = findBrowser('chromium') === undefined

// A small version of the benchmark; it throws by itself when something is lost, doubled or out of order.
test.skipIf(skipped)(
  `100 clicks in tabs that are reloaded, closed, crashed and killed, real edge and Cosmos killed meanwhile: each stored once, in order${skipped ? ' (skipped: no Chromium found; set ATTUNE_CHROMIUM)' : ''}`,
  async () => {
    const result = await run(['--clicks', '100'])
    expect(result).toMatchObject({ bench: 'delivery', lost: 0, duplicated: 0, out_of_order: 0 })
    expect(result['clicked']).toBeGreaterThanOrEqual(100)
    expect(result['loss_provoked']).toBeGreaterThan(0)
    expect(result['loss_reported']).toBe(
      Number(result['loss_provoked']) + Number(result['lost_before_queue']),
    )
    // All but the clicks whose tab ended in the same moment were seen in the queue.
    expect(result['queued']).toBeGreaterThan(60)
  },
  300_000,
)
