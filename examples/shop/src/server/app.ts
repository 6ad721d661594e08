import { Hono } from 'hono'
import { etag } from 'hono/etag'
import { compress } from 'hono/compress'
import { findGood } from '../catalogue/catalogue.ts'
import { department } from '../catalogue/departments.ts'
import { PictureError, iconBody } from '../pictures/icon.ts'
import { pictureSvg } from '../pictures/picture.ts'
import type { Assets } from './assets.ts'
import { cardFields } from './pages/card.ts'
import { aboutPage } from './pages/about.ts'
import { basketPage } from './pages/basket.ts'
import { departmentPage, isOrder } from './pages/department.ts'
import { home } from './pages/home.ts'
import { missingPage } from './pages/missing.ts'
import { productPage } from './pages/product.ts'
import { searchPage } from './pages/search.ts'
import type { Site } from './site.ts'

const MAX_IDS = 200
const FOREVER = 'public, max-age=31536000, immutable'
const HOUR = 'public, max-age=3600'

/** The shop's own server: pages, pictures and files. It takes no part in ranking. */
export function createShop(site: Site, assets: Assets): Hono {
  const app = new Hono()
  app.use(compress())
  app.use(async (c, next) => {
    await next()
    c.header('x-content-type-options', 'nosniff')
    c.header('referrer-policy', 'same-origin')
  })
  app.get('/', (c) => c.html(home(site)))
  app.get('/d/:id', (c) => {
    const found = department(c.req.param('id'))
    if (found === undefined) return c.notFound()
    const sort = c.req.query('sort')
    return c.html(
      departmentPage(site, found, isOrder(sort) ? sort : 'picked', Number(c.req.query('page')) || 1),
    )
  })
  app.get('/p/:id', (c) => {
    const good = findGood(c.req.param('id'))
    return good === undefined ? c.notFound() : c.html(productPage(site, good))
  })
  app.get('/search', (c) => c.html(searchPage(site, (c.req.query('q') ?? '').trim().slice(0, 100))))
  app.get('/basket', (c) => c.html(basketPage(site)))
  app.get('/about', (c) => c.html(aboutPage(site)))

  // What cards show of goods, by id; unknown ids are left out.
  app.get('/goods.json', (c) => {
    const ids = (c.req.query('ids') ?? '').split(',').slice(0, MAX_IDS)
    const found = ids.flatMap((id) => findGood(id) ?? [])
    c.header('cache-control', HOUR)
    return c.json(
      Object.fromEntries(found.map((good) => [good.id, { ...cardFields(good), cents: good.price }])),
    )
  })

  const svg = (body: string) =>
    new Response(body, { headers: { 'content-type': 'image/svg+xml', 'cache-control': HOUR } })
  app.use('/pictures/*', etag())
  app.get('/pictures/:file{.+\\.svg}', (c) => {
    const good = findGood(c.req.param('file').slice(0, -'.svg'.length))
    return good === undefined ? c.notFound() : svg(pictureSvg(good.picture))
  })
  app.get('/icons/:file{.+\\.svg}', (c) => {
    try {
      const body = iconBody(c.req.param('file').slice(0, -'.svg'.length))
      return svg(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">${body}</svg>`)
    } catch (error) {
      if (error instanceof PictureError) return c.notFound()
      throw error
    }
  })
  app.get('/favicon.svg', () => svg(assets.mark))
  app.get(
    '/attune.js',
    () =>
      new Response(assets.client, {
        headers: { 'content-type': 'text/javascript', 'cache-control': 'no-cache' },
      }),
  )
  app.get('/assets/:name', (c) => {
    const file = assets.files.get(c.req.param('name'))
    if (file === undefined) return c.notFound()
    return new Response(file.bytes, { headers: { 'content-type': file.type, 'cache-control': FOREVER } })
  })
  app.get('/healthz', (c) => c.json({ ok: true }))
  app.notFound((c) =>
    c.req.header('accept')?.includes('text/html') ? c.html(missingPage(site), 404) : c.text('Not found', 404),
  )
  return app
}
