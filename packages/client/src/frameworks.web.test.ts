import { readFileSync } from 'node:fs'
import { build, type Plugin } from 'esbuild'
import { compile } from 'svelte/compiler'
import { expect, test } from 'vitest'
import { describeInChromium } from './web-testing/in-chromium.ts'

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')

/** The code fence that contains `mark`. */
function recipe(language: string, mark: string): string {
  const fences = [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))]
  const found = fences.flatMap(([, code = '']) => (code.includes(mark) ? [code] : []))
  if (found.length !== 1)
    throw new Error(`expected one ${language} recipe with ${mark}, found ${found.length}`)
  return found[0] ?? ''
}

describeInChromium("the README's recipes for frameworks without an entry", {}, (web) => {
  const svelte = (): string =>
    compile(recipe('svelte', 'follow('), { generate: 'client', filename: 'List.svelte' }).js.code

  test.each([
    ['Vue', () => recipe('js', "from 'vue'")],
    [
      'Svelte',
      () =>
        `import { mount } from 'svelte'\nimport List from './List.svelte'\nmount(List, { target: document.querySelector('main') })`,
    ],
  ])(
    '%s: the page’s own order, then the list; a click names slot, place and decision and is followed by another list',
    async (_, source) => {
      const files: Plugin = {
        name: 'files',
        setup(builder) {
          builder.onResolve({ filter: /^\.\/(list\.js|List\.svelte)$/ }, ({ path }) => ({
            path,
            namespace: 'files',
          }))
          builder.onLoad({ filter: /./, namespace: 'files' }, ({ path }) => ({
            contents: path.endsWith('svelte') ? svelte() : recipe('js', 'export function follow'),
            resolveDir: import.meta.dirname,
          }))
        },
      }
      const { outputFiles } = await build({
        stdin: { contents: source(), loader: 'js', resolveDir: import.meta.dirname },
        alias: { '@attune/client': `${import.meta.dirname}/index.ts` },
        conditions: ['@attune/source', 'browser', 'module'],
        define: {
          'process.env.NODE_ENV': '"production"',
          __VUE_OPTIONS_API__: 'false',
          __VUE_PROD_DEVTOOLS__: 'false',
          __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false',
        },
        plugins: [files],
        bundle: true,
        format: 'esm',
        write: false,
      })
      const code = (outputFiles[0]?.text ?? '')
        .replaceAll('https://edge.example.com', web.server.endpoint)
        .replaceAll('public-site-key', 'public-key')
      web.server.files.set('/app.js', { type: 'text/javascript', text: code })
      web.server.files.set('/', {
        type: 'text/html',
        text: '<!doctype html><title>shop</title><main></main><script type="module" src="/app.js"></script>',
      })
      let release = (): void => {}
      const held = new Promise<void>((resolve) => (release = resolve))
      web.server.fault = async (path) => (path === '/v1/rank' ? void (await held) : undefined)
      const page = await web.context.newPage()
      await page.goto(web.server.origin)
      const shown = () => page.$$eval('li', (all) => all.map((card) => card.textContent))
      await expect.poll(shown).toEqual(['Green tea', 'Kettle', 'Cup'])
      release()
      await expect.poll(shown).toEqual(['Cup', 'Kettle', 'Green tea'])
      await page.click('text=Green tea')
      const clicks = () => web.server.events().filter(({ kind }) => kind === 'click')
      await expect.poll(clicks).toMatchObject([
        {
          item: 'sku-1',
          slot: 'category',
          position: 2,
          decision: '01900000-0000-7000-8000-000000000001',
        },
      ])
      await expect.poll(() => web.server.ranks.length).toBe(2)
      expect(web.server.ranks[1]?.recent?.map(({ item }) => item)).toEqual(['sku-1'])
    },
  )
})
