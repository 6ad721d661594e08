import { BYTES_A_BATCH, CHARGES } from '@attune/trainer-bridge'
import { expect, test } from 'vitest'
import { run } from './ru.ts'

/** Apart by at most this share: documents differ by a few bytes. */
const near = (figure: number, metered: number) => expect(Math.abs(figure / metered - 1)).toBeLessThan(0.05)

test('what `attune plan` reckons with for batches and lists is what the meter says of a real edge’s requests', async () => {
  const measured = await run(['--visitors', '3', '--flushes', '4'])
  near((CHARGES.batch / 5) * 1_000, measured['per_1000_events'] as number)
  near(BYTES_A_BATCH, measured['bytes_a_batch'] as number)
  for (const { batches, rank_ru } of measured['rows'] as { batches: number; rank_ru: number }[]) {
    if (batches <= 16) near(CHARGES.list + CHARGES.listPerBatch * batches, rank_ru)
  }
}, 120_000)
