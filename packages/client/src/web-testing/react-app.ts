import { createElement, type ReactElement } from 'react'
import { hydrateRoot } from 'react-dom/client'
import { createClient, type Client, type RankResponse } from '../index.ts'
import { onDevice } from '../on-device.ts'
import { AttuneProvider, Slot } from '../react.ts'

export interface AppProps {
  readonly candidates: readonly string[]
  readonly initial?: RankResponse
  readonly live?: boolean
  readonly device?: boolean
}

/** The same on the server and in the page. */
export function App({
  client,
  candidates,
  initial,
  live = false,
}: AppProps & { readonly client: Client }): ReactElement {
  return createElement(
    AttuneProvider,
    { client },
    createElement(Slot, {
      name: 'related',
      as: 'ul',
      candidates,
      live,
      ...(initial && { initial }),
      children: (item, attributes) =>
        createElement(
          'li',
          attributes,
          createElement('button', null, `${item.id}${item.because ? ` because ${item.because.item}` : ''}`),
        ),
    }),
  )
}

/** Hydrates what the server rendered; problems of hydration end up in `window.hydration`. */
export function start(endpoint: string, props: AppProps): void {
  const client = createClient({ endpoint, site: 'public-key', ...(props.device && { device: onDevice() }) })
  const problems: string[] = []
  Object.assign(window, { hydration: problems, client })
  hydrateRoot(document.querySelector('main') as Element, createElement(App, { client, ...props }), {
    onRecoverableError: (error) => problems.push(String(error)),
  })
}
