import { afterAll, beforeAll, describe } from 'vitest'
import { browserOrReason } from './testing/chromium.ts'
import { deliveryTests } from './web/delivery.ts'
import { House, PATIENCE_MS } from './web/house.ts'
import { listTests } from './web/lists.ts'
import { walkTests } from './web/walks.ts'

const found = browserOrReason()
const skipped = 'reason' in found ? ` (skipped: ${found.reason})` : ''

// One stack for all: it takes longer to start than any of the tests.
describe.skipIf('reason' in found)(`the shop in Chromium${skipped}`, () => {
  let open: House | undefined
  beforeAll(async () => {
    if ('path' in found) open = await House.open(found.path)
  }, PATIENCE_MS)
  afterAll(() => open?.close())
  const house = (): House => {
    if (open === undefined) throw new Error('the stack did not start')
    return open
  }
  listTests(house)
  deliveryTests(house)
  walkTests(house)
})
