import Link from 'next/link'
import { ProductList } from './attune'

const products = [
  { id: 'sku-1', title: 'Green tea' },
  { id: 'sku-2', title: 'Kettle' },
  { id: 'sku-3', title: 'Cup' },
]

export default function Page() {
  return (
    <main>
      <ProductList name="home" products={products} />
      <Link href="/about">About</Link>
    </main>
  )
}
