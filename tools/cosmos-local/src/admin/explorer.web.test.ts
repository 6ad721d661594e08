import { CHROMIUM_ARGS, findBrowser } from '@attune/browsers'
import { chromium, type Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sign } from '../protocol/auth.ts'
import { startCosmosLocal, type CosmosLocal } from '../index.ts'

const executablePath = findBrowser('chromium')
let cosmos: CosmosLocal
let browser: Browser

beforeAll(async () => {
  cosmos = await startCosmosLocal({ port: 0 })
  await post('/dbs', '', 'dbs', { id: 'shop' })
  const partitionKey = { paths: ['/pk'], kind: 'Hash', version: 2 }
  for (const id of ['carts', 'goods'])
    await post('/dbs/shop/colls', 'dbs/shop', 'colls', { id, partitionKey })
  for (let n = 0; n < 3; n++) await create({ id: `pear${n}`, pk: 'a', n })
  if (executablePath === undefined) return
  browser = await chromium.launch({ executablePath, args: [...CHROMIUM_ARGS] })
})

afterAll(async () => {
  await browser?.close()
  await cosmos.close()
})

async function post(
  path: string,
  link: string,
  type: string,
  body: object,
  headers: Record<string, string> = {},
): Promise<void> {
  const date = new Date().toUTCString()
  const response = await fetch(cosmos.endpoint + path, {
    method: 'POST',
    headers: {
      authorization: sign(cosmos.key, 'POST', type, link, date),
      'x-ms-date': date,
      'content-type': 'application/json',
      ...headers,
    },
    body: JSON.stringify(body),
  })
  if (response.status !== 201) throw new Error(`${path}: ${response.status} ${await response.text()}`)
}

const create = (item: { id: string; pk: string; n: number }): Promise<void> =>
  post('/dbs/shop/colls/goods/docs', 'dbs/shop/colls/goods', 'docs', item, {
    'x-ms-documentdb-partitionkey': JSON.stringify([item.pk]),
  })

test.skipIf(executablePath === undefined)(
  'the data explorer lists containers, shows a query with its charge, and a document created meanwhile',
  async () => {
    const page = await browser.newPage()
    const errors: string[] = []
    page.on('pageerror', (error) => errors.push(error.message))
    await page.goto(cosmos.adminEndpoint)

    await page.getByRole('button', { name: 'goods', exact: true }).waitFor()
    expect(await page.locator('#tree').innerText()).toMatch(/shop\s+carts\s+goods/)
    expect(await page.locator('#regions').innerText()).toContain('Local (writes)')

    // Choosing a container runs the query that stands there.
    await page.getByRole('button', { name: 'goods', exact: true }).click()
    await page.getByRole('status').filter({ hasText: '3 rows' }).waitFor()

    await page.getByLabel('Query').fill('SELECT VALUE c.n FROM c WHERE c.n > 0 ORDER BY c.n DESC')
    await page.getByRole('button', { name: 'Run' }).click()
    await page.getByRole('status').filter({ hasText: '2 rows' }).waitFor()
    expect(JSON.parse(await page.getByLabel('Result').innerText())).toEqual([2, 1])
    // Modelled: 2.28 for the start, 0.03 for each of the three items read, and some for what they weigh.
    const status = await page.getByRole('status').innerText()
    const charge = Number(/rows, ([\d.]+) RU \(modelled\), 3 items read/.exec(status)?.[1])
    expect(charge).toBeGreaterThan(2.28 + 3 * 0.03)
    expect(charge).toBeLessThan(3)

    // What cannot be read says so, with the place.
    await page.getByLabel('Query').fill('SELECT NOSUCH(c.n) FROM c')
    await page.getByLabel('Query').press('Control+Enter')
    await page.getByLabel('Result').filter({ hasText: 'NOSUCH' }).waitFor()

    const changes = page.getByLabel('Changes')
    await changes.filter({ hasText: 'Listening' }).waitFor()
    await create({ id: 'plum', pk: 'b', n: 7 })
    await changes.filter({ hasText: '"id":"plum"' }).waitFor({ timeout: 10_000 })
    await page.locator('#ranges').filter({ hasText: '4 items' }).waitFor()
    await page.locator('#meter').filter({ hasText: 'create' }).waitFor()
    expect(errors).toEqual([])
    await page.close()
  },
)
