import { EXPIRED } from '../store/items.ts'
import type { Account } from './account.ts'

const ITEMS_AT_A_TIME = 500

/** Deletes items whose time to live is over; each deletion is a change of its own in the feed of all versions. */
export function expireItems(account: Account): number {
  const now = account.nowS()
  const due = account.items.expired(now, ITEMS_AT_A_TIME)
  if (due.length === 0) return 0
  const containers = new Map([...account.catalog.containersByRid.values()].map((one) => [one.num, one]))
  for (const item of due) {
    const container = containers.get(item.container)
    const range = container?.ranges.find((one) => one.num === item.range)
    if (container === undefined || range === undefined) continue
    account.write(container, range, (lsn) => {
      account.items.remove(container, item, lsn, EXPIRED, now)
      if (container.uniqueKeys.length > 0) {
        account.items
          .prepared('DELETE FROM unique_values WHERE container = ? AND epk = ? AND id = ?')
          .run(container.num, item.epk, item.id)
      }
    })
  }
  return due.length
}
