import { attempt } from './attempt.ts'
import type { KeyValueStore, Pair } from './key-value.ts'

const KEPT = 'kept'

/** Removes the database, whoever has it open. */
export const deleteIdbStore = (name: string): void => attempt(() => indexedDB.deleteDatabase(name))

/**
 * Outlives page, tab and browser process.
 *
 * @throws DOMException when the browser refuses to open the database
 */
export async function openIdbStore(name: string): Promise<KeyValueStore> {
  const db = await new Promise<IDBDatabase>((resolve, reject) => {
    const request = indexedDB.open(name, 2)
    request.addEventListener('upgradeneeded', () => request.result.createObjectStore(KEPT))
    request.addEventListener('success', () => resolve(request.result))
    request.addEventListener('error', () => reject(request.error))
  })
  // Another tab wants to delete the database or open a newer one: let it.
  db.addEventListener('versionchange', () => db.close())

  /**
   * Settles with the transaction. Durability is relaxed, as browsers have it by default: when a write completes it has
   * left this process for the browser's, which survives the end of both; it only does not wait for the disk, as a loss of
   * power would need.
   */
  const run = (mode: IDBTransactionMode, work: (store: IDBObjectStore) => void): Promise<void> =>
    new Promise((resolve, reject) => {
      const tx = db.transaction(KEPT, mode)
      tx.addEventListener('complete', () => resolve())
      tx.addEventListener('abort', () => reject(tx.error))
      work(tx.objectStore(KEPT))
    })
  const write = (store: IDBObjectStore, pairs: readonly Pair[]): void => {
    for (const [key, value] of pairs) {
      if (value === undefined) store.delete(key)
      else store.put(value, key)
    }
    // Committing at once spares a round trip that a page being closed does not live to see.
    store.transaction.commit()
  }
  const find = (
    store: IDBObjectStore,
    prefixes: readonly string[],
    then: (found: unknown[][]) => void,
  ): void => {
    const requests = prefixes.map((prefix) => store.getAll(IDBKeyRange.bound(prefix, `${prefix}~`)))
    // They are answered in order.
    requests
      .at(-1)
      ?.addEventListener('success', () => then(requests.map(({ result }) => result as unknown[])))
  }

  return {
    put: (pairs) => run('readwrite', (store) => write(store, pairs)),
    async read(prefixes) {
      let all: unknown[][] = []
      await run('readonly', (store) => find(store, prefixes, (found) => (all = found)))
      return all
    },
    update: (prefixes, change) =>
      run('readwrite', (store) => find(store, prefixes, (found) => write(store, change(found)))),
    clear: () => run('readwrite', (store) => store.clear()),
    close: () => db.close(),
  }
}
