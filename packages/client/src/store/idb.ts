import { MAX_EVENTS_PER_BATCH, type TrackedEvent } from '@attune/core'
import { deleteDB, openDB, type DBSchema, type IDBPTransaction } from 'idb'
import { batchLength, type Batch } from '../batch.ts'
import {
  MAX_QUEUED_EVENTS,
  MAX_REMEMBERED_EVENTS,
  type QueueStore,
  type StoreOptions,
} from './queue-store.ts'

interface Schema extends DBSchema {
  /** Not in a batch yet. */
  events: { key: string; value: TrackedEvent }
  /** Formed, not acknowledged. */
  batches: { key: string; value: Batch }
  recent: { key: string; value: TrackedEvent }
  facts: { key: string; value: unknown }
}

type Name = 'events' | 'batches' | 'recent' | 'facts'
const NAMES: readonly Name[] = ['events', 'batches', 'recent', 'facts']

/** Removes the database, whoever has it open. Never rejects. */
export async function deleteIdbStore(name: string): Promise<void> {
  await deleteDB(name).catch(() => {})
}

/**
 * A queue that outlives page, tab and browser process, shared by all tabs of the origin.
 *
 * @throws DOMException when the browser refuses to open the database
 */
export async function openIdbStore(
  name: string,
  { maxEvents = MAX_QUEUED_EVENTS, onDropped }: StoreOptions = {},
): Promise<QueueStore> {
  const db = await openDB<Schema>(name, 1, {
    upgrade(fresh) {
      for (const store of NAMES) fresh.createObjectStore(store, store === 'facts' ? {} : { keyPath: 'id' })
    },
    // Another tab wants to delete the database or open a newer one: let it.
    blocking: (_current, _blocked, event) => (event.target as IDBDatabase).close(),
  })

  // Relaxed: the write has left this process for the browser's when it completes, which survives the end of both; it
  // only does not wait for the disk, as a loss of power would need. Committing at once spares a round trip that a page
  // being closed does not live to see.
  async function write(
    names: Name[],
    work: (tx: IDBPTransaction<Schema, Name[], 'readwrite'>) => Promise<unknown>[],
  ) {
    const tx = db.transaction(names, 'readwrite', { durability: 'relaxed' })
    const steps = work(tx)
    tx.commit()
    await Promise.all([...steps, tx.done])
  }

  return {
    add: (events) =>
      write(['events', 'recent'], (tx) =>
        events.flatMap((event) => [
          tx.objectStore('events').put(event),
          ...(event.kind === 'impression' ? [] : [tx.objectStore('recent').put(event)]),
        ]),
      ),
    claim: (batch) =>
      write(['events', 'batches'], (tx) => [
        tx.objectStore('batches').put(batch),
        ...batch.events.map((event) => tx.objectStore('events').delete(event.id)),
      ]),
    async next(id) {
      const tx = db.transaction(['events', 'batches', 'recent'], 'readwrite', { durability: 'relaxed' })
      tx.done.catch(() => {}) // told by whichever request below failed
      const events = tx.objectStore('events')
      const [waiting] = await tx.objectStore('batches').getAll(null, 1)
      if (waiting) return waiting
      /** Gives up the oldest beyond `max`. */
      const trim = async (name: 'events' | 'recent', max: number): Promise<number> => {
        const keys = await tx.objectStore(name).getAllKeys()
        const excess = keys.length - max
        if (excess > 0) await tx.objectStore(name).delete(IDBKeyRange.upperBound(keys[excess - 1]))
        return excess
      }
      await trim('recent', MAX_REMEMBERED_EVENTS)
      const excess = await trim('events', maxEvents)
      const oldest = await events.getAll(null, MAX_EVENTS_PER_BATCH)
      const batch = { id, events: oldest.slice(0, batchLength(oldest)) }
      const from = batch.events[0]?.id
      const to = batch.events.at(-1)?.id
      if (from && to) {
        await Promise.all([tx.objectStore('batches').put(batch), events.delete(IDBKeyRange.bound(from, to))])
      }
      await tx.done
      if (excess > 0) onDropped?.(excess)
      return from === undefined ? undefined : batch
    },
    done: (batchId) => write(['batches'], (tx) => [tx.objectStore('batches').delete(batchId)]),
    waiting: () => db.getAllKeys('events'),
    recent: () => db.getAll('recent'),
    get: (fact) => db.get('facts', fact),
    async update(fact, change) {
      const tx = db.transaction('facts', 'readwrite', { durability: 'relaxed' })
      const value = change(await tx.store.get(fact))
      await Promise.all([tx.store.put(value, fact), tx.done])
      return value
    },
    clear: () => write([...NAMES], (tx) => NAMES.map((store) => tx.objectStore(store).clear())),
    close: () => db.close(),
  }
}
