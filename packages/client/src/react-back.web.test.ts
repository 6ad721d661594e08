import { build } from 'esbuild'
import { createElement } from 'react'
import { renderToString } from 'react-dom/server'
import { expect, test } from 'vitest'
import { createClient } from './client.ts'
import { App } from './web-testing/react-routed-app.ts'
import { describeInChromium, type WebOptions } from './web-testing/in-chromium.ts'
import { ranked } from './web-testing/wire-server.ts'

const pages: WebOptions = {
  async serve(server) {
    const { outputFiles } = await build({
      entryPoints: [`${import.meta.dirname}/web-testing/react-routed-app.ts`],
      conditions: ['@attune/source'],
      define: { 'process.env.NODE_ENV': '"production"' },
      bundle: true,
      format: 'iife',
      globalName: 'app',
      write: false,
    })
    server.files.set('/app.js', { type: 'text/javascript', text: outputFiles[0]?.text ?? '' })
    const client = createClient({ endpoint: server.endpoint, site: 'public-key' })
    server.files.set('/', {
      type: 'text/html',
      text: `<!doctype html><title>shop</title><script>
          window.frames = []
          const look = () => {
            const state = document.querySelector('ul')?.innerText.replace(/\\s+/g, '') ?? document.querySelector('h1')?.innerText ?? ''
            if (state !== window.frames.at(-1)) window.frames.push(state)
            // After React has had its turn, before the frame is drawn.
            requestAnimationFrame(look)
          }
          requestAnimationFrame(look)
        </script><main>${renderToString(createElement(App, { client, path: '/' }))}</main>
        <script src="/app.js"></script><script>app.start('${server.endpoint}')</script>`,
    })
    server.files.set('/elsewhere', { type: 'text/html', text: '<!doctype html><title>elsewhere</title>' })
  },
  flags: ['--disable-features=BackForwardCache'],
}

describeInChromium('going back in an app of React', pages, (web) => {
  test('back to a view: its list is in the first frame drawn, without a request; back from elsewhere: after hydration, without one', async () => {
    let answers = 0
    const orders = [
      ['c', 'a', 'b'],
      ['b', 'c', 'a'],
      ['a', 'c', 'b'],
    ]
    web.server.rank = (request) => ({
      ...ranked(request),
      items: (orders[answers++] ?? []).map((id) => ({ id, score: 1 })),
    })
    const page = await web.context.newPage()
    await page.goto(web.server.origin)
    const frames = () => page.evaluate(() => (window as unknown as { frames: string[] }).frames)
    // What the server rendered may be drawn before the script is there, or not at all.
    const later = async () => (await frames()).filter((state) => state !== 'abc')
    await expect.poll(later).toEqual(['cab'])
    // Live: the click asks anew, and the view is gone before the answer comes.
    web.server.fault = async (path) =>
      path === '/v1/rank' ? { status: 503, body: { code: 'STAGED' } } : undefined
    await page.click('text=a')
    await expect.poll(later).toEqual(['cab', '/p/a'])
    await expect.poll(() => web.server.events().map(({ kind }) => kind)).toContain('view')
    web.server.fault = () => undefined
    const asked = web.server.ranks.length
    await page.evaluate(() => history.back())
    const since = async () => (await frames()).slice((await frames()).indexOf('/p/a'))
    await expect.poll(since).toEqual(['/p/a', 'cab'])
    expect(web.server.ranks.length).toBe(asked)

    await page.goto(`${web.server.origin}/elsewhere`)
    await page.goBack()
    await expect.poll(later).toEqual(['cab'])
    expect(web.server.ranks.length).toBe(asked)
    expect(await page.evaluate(() => (window as unknown as { hydration: string[] }).hydration)).toEqual([])
    // The next action has a list of its own.
    await page.evaluate(() =>
      (window as unknown as { client: { track(kind: string, item: string): void } }).client.track(
        'like',
        'x',
      ),
    )
    await expect.poll(later).toEqual(['cab', 'bca'])
  })
})
