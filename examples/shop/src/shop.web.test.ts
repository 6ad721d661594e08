import { findBrowser } from '@attune/browsers'
import { afterAll, beforeAll, describe } from 'vitest'
import { deliveryTests } from './web/delivery.ts'
import { House, PATIENCE_MS } from './web/house.ts'
import { listTests } from './web/lists.ts'
import { walkTests } from './web/walks.ts'

const path = findBrowser('chromium')
const skipped =
  path === undefined ? ' (skipped: no Chromium found; install one, or name it in ATTUNE_CHROMIUM)' : ''

// One stack for all: it takes longer to start than any of the tests.
describe.skipIf(path === undefined)(`the shop in Chromium${skipped}`, () => {
  let open: House | undefined
  beforeAll(async () => {
    if (path !== undefined) open = await House.open(path)
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
