import Link from 'next/link'

export default function Page() {
  return (
    <main data-attune-view="about-tea">
      <Link href="/">Home</Link>
    </main>
  )
}
