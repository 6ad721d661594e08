import { build } from 'esbuild'
import { builds } from './_client-build.ts'

// The same page of 200 cards with nothing, with our script tag, and with two others set up as their manuals do.

export const CARDS = 200
export const VARIANTS = ['none', 'attune', 'posthog', 'segment'] as const
export type Variant = (typeof VARIANTS)[number]

/** Where a variant's clicks arrive. */
export const TELLS: Readonly<Record<Exclude<Variant, 'none'>, string>> = {
  attune: '/v1/events',
  posthog: '/posthog/',
  segment: '/segment/',
}

/** Path → type and text of everything the pages need; the collector plays all three services. */
export async function pageFiles(
  collector: string,
): Promise<Map<string, readonly [type: string, text: string]>> {
  const files = new Map<string, readonly [string, string]>()
  const script = (text: string): readonly [string, string] => ['text/javascript', text]
  files.set('/attune.js', script((await builds()).get('attune.js') ?? ''))
  files.set(
    '/posthog.js',
    script(
      await bundle(`import posthog from 'posthog-js'
        posthog.init('phc_bench', {
          api_host: '${collector}/posthog', disable_session_recording: true, disable_surveys: true,
          advanced_disable_flags: true, disable_external_dependency_loading: true, opt_out_useragent_filter: true,
        })`),
    ),
  )
  const { host } = new URL(collector)
  files.set(
    '/segment.js',
    script(
      await bundle(`import { AnalyticsBrowser } from '@segment/analytics-next'
        const analytics = AnalyticsBrowser.load({
          writeKey: 'bench',
          cdnSettings: { integrations: { 'Segment.io': { apiKey: 'bench', apiHost: '${host}/segment', protocol: 'http' } } },
        })
        analytics.page()
        document.addEventListener('click', ({ target }) => {
          const card = target.closest('li')
          if (card) analytics.track('Product Clicked', { product_id: card.dataset.attuneItem })
        })`),
    ),
  )
  const cards = Array.from(
    { length: CARDS },
    (_, index) =>
      `<li data-attune-item="sku-${index}"><a href="#sku-${index}"><i></i><b>Thing ${index}</b><span>${index}.99</span></a></li>`,
  ).join('\n')
  for (const variant of VARIANTS) {
    const tag =
      variant === 'none'
        ? ''
        : variant === 'attune'
          ? `<script async src="/attune.js" data-endpoint="${collector}" data-site="pk_bench"></script>`
          : `<script async src="/${variant}.js"></script>`
    files.set(`/${variant}`, [
      'text/html',
      `<!doctype html><meta name="viewport" content="width=device-width"><title>shop</title>
      <style>ul { display: grid; grid-template-columns: repeat(4, 1fr); gap: 8px; padding: 0 }
        li { height: 160px; list-style: none; border: 1px solid #ccc } i { display: block; height: 90px; background: #eee }
        li.chosen { border-color: #06c }</style>
      <script>
        window.seen = { long: [], interactions: [], shift: 0 }
        const watch = (type, options, each) => new PerformanceObserver((list) => list.getEntries().forEach(each))
          .observe({ type, buffered: true, ...options })
        watch('longtask', {}, ({ duration }) => seen.long.push(duration))
        watch('event', { durationThreshold: 16 }, ({ duration, interactionId }) => interactionId && seen.interactions.push(duration))
        watch('layout-shift', {}, ({ value, hadRecentInput }) => { if (!hadRecentInput) seen.shift += value })
        document.addEventListener('click', ({ target }) => target.closest('li')?.classList.toggle('chosen'))
      </script>${tag}<ul data-attune-slot="all">${cards}</ul>`,
    ])
  }
  return files
}

async function bundle(contents: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: import.meta.dirname },
    bundle: true,
    minify: true,
    format: 'iife',
    platform: 'browser',
    define: { 'process.env.NODE_ENV': '"production"' },
    write: false,
    logLevel: 'error',
  })
  return outputFiles[0]?.text ?? ''
}
