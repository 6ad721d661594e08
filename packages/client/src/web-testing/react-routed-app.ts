import { createElement, useEffect, useState, type ReactElement } from 'react'
import { hydrateRoot } from 'react-dom/client'
import { onBack } from '../back.ts'
import { createClient, type Client } from '../index.ts'
import { AttuneProvider, Slot } from '../react.ts'

/** An app of two views, by the address: cards, and one item. */
export function App({ client, path }: { readonly client: Client; readonly path: string }): ReactElement {
  const [at, setAt] = useState(path)
  useEffect(() => {
    const follow = (): void => setAt(location.pathname)
    addEventListener('popstate', follow)
    return () => removeEventListener('popstate', follow)
  }, [])
  const go = (to: string): void => {
    history.pushState({}, '', to)
    setAt(to)
  }
  return createElement(
    AttuneProvider,
    { client },
    at === '/'
      ? createElement(Slot, {
          name: 'shelf',
          as: 'ul',
          candidates: ['a', 'b', 'c'],
          live: true,
          children: ({ id }, attributes) =>
            createElement('li', attributes, createElement('button', { onClick: () => go(`/p/${id}`) }, id)),
        })
      : createElement('h1', { 'data-attune-view': at.slice(3) }, at),
  )
}

/** Hydrates what the server rendered. */
export function start(endpoint: string): void {
  const client = createClient({ endpoint, site: 'public-key', device: onBack() })
  const problems: string[] = []
  Object.assign(window, { hydration: problems, client })
  hydrateRoot(
    document.querySelector('main') as Element,
    createElement(App, { client, path: location.pathname }),
    { onRecoverableError: (error) => problems.push(String(error)) },
  )
}
