import type { Account } from '../engine/account.ts'
import type { Region } from '../engine/replication.ts'
import type { Exchange } from '../protocol/exchange.ts'

/** A request that the admin server makes by itself, without HTTP and signature. */
export function localExchange(
  account: Account,
  region: Region,
  segments: readonly string[],
  headers: Readonly<Record<string, string>>,
  body = '',
): Exchange {
  return {
    account,
    region,
    method: body === '' ? 'GET' : 'POST',
    segments,
    path: `/${segments.join('/')}`,
    body: Buffer.from(body),
    origin: { scheme: 'http', host: '127.0.0.1' },
    header: (name) => headers[name],
    flag: (name) => headers[name]?.toLowerCase() === 'true',
  }
}
