import { expect, test } from 'vitest'
import { startCrew } from './threads.ts'

test('a worker that cannot start rejects what it was asked, with its name', async () => {
  const crew = startCrew('no-such-worker', [undefined])
  await expect(crew.ask({})).rejects.toMatchObject({
    code: 'TRAIN_WORKER_FAILED',
    message: expect.stringContaining('no-such-worker') as string,
  })
  await crew.close()
})

test('closing a crew rejects what is still asked for with the reason given, and later questions too', async () => {
  const crew = startCrew('ranking-worker', [undefined])
  const asked = crew.ask({})
  const reason = new Error('enough')
  const closed = crew.close(reason)
  await expect(asked).rejects.toBe(reason)
  await expect(crew.ask({})).rejects.toBe(reason)
  await closed
})
