import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import type { Client } from './client.ts'
import { bundleScript } from './web-testing/bundle.ts'
import { describeInChromium, type WebOptions } from './web-testing/in-chromium.ts'

const pages: WebOptions = {
  async serve(server) {
    server.files.set('/attune.js', { type: 'text/javascript', text: await bundleScript() })
  },
  context: { hasTouch: true },
}

describeInChromium('what is told of a page', pages, (web) => {
  async function open(body: string): Promise<Page> {
    web.server.files.set('/', {
      type: 'text/html',
      text: `<!doctype html><title>shop</title><script>window.problems = []
        window.attune = [['on', 'error', (error) => problems.push(error.code)]]</script>
        <script async src="/attune.js" data-endpoint="${web.server.endpoint}" data-site="public-key"></script>${body}`,
    })
    const page = await web.context.newPage()
    await page.goto(web.server.origin)
    await page.waitForFunction(() => window.attune && !Array.isArray(window.attune))
    return page
  }
  const told = () =>
    web.server
      .events()
      .filter(({ kind }) => kind !== 'impression')
      .map(({ kind, item, value, query, slot, position }) => ({ kind, item, value, query, slot, position }))
  const problems = (page: Page) => page.evaluate(() => (window as unknown as { problems: string[] }).problems)

  test('by attributes: cart, purchase, like, dislike and a kind of its own, with item, value and place of the card around', async () => {
    const kinds = ['add-to-cart', 'purchase', 'like', 'dislike', 'custom:zoom']
    const page = await open(
      `<ul data-attune-slot="shelf"><li data-attune-item="cup">cup</li><li data-attune-item="tea" data-attune-value="4.5">
        ${kinds.map((kind) => `<button data-attune-event="${kind}"><b>${kind}</b></button>`).join('')}
        <button data-attune-event="add-to-cart" data-attune-value="9">two</button></li></ul>
        <button data-attune-event="custom:newsletter">newsletter</button>`,
    )
    // What is hit is the text inside the button.
    for (const kind of kinds) await page.click(`b:text-is("${kind}")`)
    await page.click('text=two')
    await page.click('text=newsletter')
    const at = { item: 'tea', slot: 'shelf', position: 1 }
    await expect
      .poll(told)
      .toEqual([
        ...kinds.map((kind) => ({ ...at, kind, value: 4.5 })),
        { ...at, kind: 'add-to-cart', value: 9 },
        { kind: 'custom:newsletter' },
      ])
    expect(await problems(page)).toEqual([])
  })

  test('by calls: the same kinds; what the edge would refuse is told to the page and not sent', async () => {
    const page = await open('')
    const ids = await page.evaluate(() => {
      const attune = window.attune as Client
      return [
        attune.track('add-to-cart', 'tea', { value: 4.5, slot: 'shelf', position: 1 }),
        attune.track('purchase', 'tea', { value: 9 }),
        attune.track('search', null, { query: 'green tea' }),
        attune.track('custom:zoom', 'tea'),
        attune.track('custom:newsletter'),
        attune.track('purchase', null, { value: 9 }),
        attune.track('search', null, { query: '' }),
      ]
    })
    await expect
      .poll(told)
      .toEqual([
        { kind: 'add-to-cart', item: 'tea', value: 4.5, slot: 'shelf', position: 1 },
        { kind: 'purchase', item: 'tea', value: 9 },
        { kind: 'search', query: 'green tea' },
        { kind: 'custom:zoom', item: 'tea' },
        { kind: 'custom:newsletter' },
      ])
    expect(ids.map((id) => typeof id)).toEqual([...Array(5).fill('string'), 'undefined', 'undefined'])
    expect(await problems(page)).toEqual(['EVENT_INVALID'])
  })

  test('mouse, middle button, Enter, Space and a finger are one click each; the right button, a key on plain text and a drag are none', async () => {
    const page = await open(
      `<ul data-attune-slot="shelf">${['mouse', 'middle', 'enter', 'space', 'finger', 'right', 'drag']
        .map(
          (id) =>
            `<li data-attune-item="${id}"><a href="#${id}">${id} link</a><button>${id} button</button></li>`,
        )
        .join('')}</ul><p id="out">out</p>`,
    )
    await page.click('text=mouse link')
    await page.click('text=middle link', { button: 'middle' })
    await page.focus('text=enter link')
    await page.keyboard.press('Enter')
    await page.focus('text=space button')
    await page.keyboard.press('Space')
    await page.tap('text=finger link')
    await page.click('text=right link', { button: 'right' })
    await page.keyboard.press('Escape')
    await page.hover('text=drag button')
    await page.mouse.down()
    await page.hover('#out')
    await page.mouse.up()
    await page.focus('text=mouse link')
    await page.keyboard.press('a')
    await page.evaluate(() => (window.attune as Client).flush())
    expect(told().map(({ kind, item, position }) => [kind, item, position])).toEqual([
      ['click', 'mouse', 0],
      ['click', 'middle', 1],
      ['click', 'enter', 2],
      ['click', 'space', 3],
      ['click', 'finger', 4],
    ])
  })

  test('shadow roots in shadow roots: middle button and Enter, one click each, with the slot outside; closed ones are the page’s own', async () => {
    const page = await open('<section data-attune-slot="outer"><shop-shelf></shop-shelf></section>')
    await page.evaluate(() => {
      const grow = (host: Element, mode: ShadowRootMode, html: string): ShadowRoot => {
        const root = host.attachShadow({ mode })
        root.innerHTML = html
        return root
      }
      const shelf = grow(
        document.querySelector('shop-shelf') as Element,
        'open',
        '<shop-card data-attune-item="deep"></shop-card><shop-secret></shop-secret>',
      )
      grow(shelf.querySelector('shop-card') as Element, 'open', '<a href="#deep"><i>deep</i></a>')
      const secret = grow(
        shelf.querySelector('shop-secret') as Element,
        'closed',
        '<button data-attune-item="secret">secret</button>',
      )
      Object.assign(window, { secret: secret.querySelector('button') })
      // Watched on its own as well as through the document: told once all the same.
      ;(window.attune as Client).observe(shelf)
    })
    await page.click('text=deep', { button: 'middle' })
    await page.focus('a')
    await page.keyboard.press('Enter')
    await page.evaluate(() => (window as unknown as { secret: HTMLElement }).secret.click())
    await page.evaluate(() => (window.attune as Client).flush())
    expect(told().map(({ kind, item, slot }) => [kind, item, slot])).toEqual([
      ['click', 'deep', 'outer'],
      ['click', 'deep', 'outer'],
    ])
  })

  test('impressions: half in view for a whole second, or half of the window filled; not 45 %, not 0.6 s, not out of sight', async () => {
    const card = (item: string, style: string) =>
      `<p data-attune-item="${item}" style="position:absolute;margin:0;width:100px;${style}"></p>`
    const page = await open(
      card('more', 'left:0;height:200px;top:calc(100vh - 110px)') +
        card('less', 'left:200px;height:200px;top:calc(100vh - 90px)') +
        card('tall', 'left:400px;height:300vh;top:45vh') +
        card('taller', 'left:600px;height:300vh;top:55vh') +
        card('hidden', 'left:800px;height:100px;top:0;display:none'),
    )
    // How long it was in view, by frames that were drawn; again where the machine was too busy to take it away in time.
    const passing = (item: string) =>
      page.evaluate(
        (id) =>
          new Promise<number>((resolve) => {
            const element = document.createElement('p')
            element.style.cssText = 'position:absolute;left:1000px;top:0;width:100px;height:100px;margin:0'
            element.setAttribute('data-attune-item', id)
            document.body.append(element)
            const began = performance.now()
            setTimeout(() => {
              element.remove()
              requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - began)))
            }, 600)
          }),
        item,
      )
    const brief: string[] = []
    for (let round = 0; round < 10 && brief.length === 0; round++)
      if ((await passing(`brief-${round}`)) < 950) brief.push(`brief-${round}`)
    expect(brief).toHaveLength(1)
    const seen = () =>
      web.server
        .events()
        .flatMap(({ kind, item = '' }) =>
          kind === 'impression' && (!item.startsWith('brief') || brief.includes(item)) ? [item] : [],
        )
    await expect.poll(() => seen().toSorted(), { timeout: 10_000 }).toEqual(['more', 'tall'])
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 1_500)))
    await page.evaluate(() => (window.attune as Client).flush())
    expect(seen().toSorted()).toEqual(['more', 'tall'])
  })
})
