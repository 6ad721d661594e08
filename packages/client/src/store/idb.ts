import { wrap, type IDBPDatabase } from 'idb'
import { attempt } from './attempt.ts'
import type { KeyValueStore } from './key-value.ts'

const KEPT = 'kept'

/** Removes the database, whoever has it open. */
export const deleteIdbStore = (name: string): void => attempt(() => indexedDB.deleteDatabase(name))

/**
 * Outlives page, tab and browser process.
 *
 * @throws DOMException when the browser refuses to open the database
 */
export async function openIdbStore(name: string): Promise<KeyValueStore> {
  const request = indexedDB.open(name, 2)
  request.addEventListener('upgradeneeded', () => request.result.createObjectStore(KEPT))
  const db = (await wrap(request)) as unknown as IDBPDatabase
  // Another tab wants to delete the database or open a newer one: let it.
  db.addEventListener('versionchange', () => db.close())

  const read = () => db.transaction(KEPT).store
  // Durability is relaxed, as browsers have it by default: when a write completes it has left this process for the
  // browser's, which survives the end of both; it only does not wait for the disk, as a loss of power would need.
  const write = () => db.transaction(KEPT, 'readwrite')

  return {
    put(pairs) {
      const tx = write()
      const steps = pairs.map(([key, value]) =>
        value === undefined ? tx.store.delete(key) : tx.store.put(value, key),
      )
      // Committing at once spares a round trip that a page being closed does not live to see.
      tx.commit()
      return Promise.all([...steps, tx.done])
    },
    all: (prefix) => read().getAll(IDBKeyRange.bound(prefix, `${prefix}~`)),
    get: (key) => read().get(key),
    async update(key, change) {
      const tx = write()
      const value = change(await tx.store.get(key))
      await Promise.all([tx.store.put(value, key), tx.done])
      return value
    },
    clear() {
      const tx = write()
      return Promise.all([tx.store.clear(), tx.done])
    },
    close: () => db.close(),
  }
}
