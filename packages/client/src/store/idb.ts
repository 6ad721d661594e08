import { wrap, type IDBPDatabase, type IDBPTransaction } from 'idb'
import { attempt } from './attempt.ts'
import type { KeyValueStore, Pair } from './key-value.ts'

const KEPT = 'kept'

interface Schema {
  readonly [KEPT]: { key: string; value: unknown }
}
type Transaction = IDBPTransaction<Schema, [typeof KEPT], 'readwrite'>

/** Removes the database, whoever has it open. */
export const deleteIdbStore = (name: string): unknown => attempt(() => indexedDB.deleteDatabase(name))

function write(tx: Transaction, pairs: readonly Pair[]): Promise<unknown> {
  const store = tx.objectStore(KEPT)
  const steps = pairs.map(([key, value]) => (value === undefined ? store.delete(key) : store.put(value, key)))
  // Committing at once spares a round trip that a page being closed does not live to see.
  tx.commit()
  return Promise.all([...steps, tx.done])
}

/**
 * Outlives page, tab and browser process.
 *
 * @throws DOMException when the browser refuses to open the database
 */
export async function openIdbStore(name: string): Promise<KeyValueStore> {
  const request = indexedDB.open(name, 2)
  request.addEventListener('upgradeneeded', () => request.result.createObjectStore(KEPT))
  const db = (await wrap(request)) as unknown as IDBPDatabase<Schema>
  // Another tab wants to delete the database or open a newer one: let it.
  db.addEventListener('versionchange', () => db.close())

  // Durability is relaxed, as browsers have it by default: when a write completes it has left this process for the
  // browser's, which survives the end of both; it only does not wait for the disk, as a loss of power would need.
  const writing = () => db.transaction(KEPT, 'readwrite')

  return {
    put: (pairs) => write(writing(), pairs),
    async update(change) {
      const tx = writing()
      const store = tx.objectStore(KEPT)
      const [keys, values] = await Promise.all([store.getAllKeys() as Promise<string[]>, store.getAll()])
      return write(tx, change(new Map(keys.map((key, at) => [key, values[at]]))))
    },
    close: () => db.close(),
  }
}
