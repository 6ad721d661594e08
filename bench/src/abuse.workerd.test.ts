import { expect, test } from 'vitest'
import { run } from './abuse.ts'

// A small version of the benchmark: that every attack is refused with its code, on every run; how fast is for a quiet machine.

test.each(['node', 'workerd'])(
  'on %s 21 attacks and a burst of 1,000 are refused with their codes while honest visitors go on',
  async (host) => {
    const result = await run(['--host', host, '--burst', '1000', '--seconds', '3', '--rounds', '1'])
    expect(result).toMatchObject({ bench: 'abuse', host, attacks: 21, burst: 1_000, burst_reset: 0 })
    expect(result['burst_refused']).toBeGreaterThan(0)
    expect(result['honest_requests']).toBeGreaterThanOrEqual(10)
  },
  180_000,
)
