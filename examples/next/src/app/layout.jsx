import { Attune } from './attune'

export const metadata = { title: 'Tea shop' }

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>
        <Attune>{children}</Attune>
      </body>
    </html>
  )
}
