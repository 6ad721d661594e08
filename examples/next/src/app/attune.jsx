'use client'
import { createClient } from '@attune/client'
import { AttuneProvider, Slot } from '@attune/client/react'

// On the server this does nothing; in the browser it is made once and stays while pages change.
const client = createClient({
  endpoint: process.env.NEXT_PUBLIC_ATTUNE_ENDPOINT,
  site: process.env.NEXT_PUBLIC_ATTUNE_SITE,
})

export function Attune({ children }) {
  return <AttuneProvider client={client}>{children}</AttuneProvider>
}

export function ProductList({ name, products }) {
  return (
    <Slot name={name} as="ul" candidates={products.map((product) => product.id)} live>
      {({ id }, attributes) => (
        <li {...attributes}>
          <button>{products.find((product) => product.id === id)?.title}</button>
        </li>
      )}
    </Slot>
  )
}
