import type { Container } from '@azure/cosmos'
import type { BatchDocument, ItemAttributes, ItemDocument, TrackedEvent } from '@attune/core'
import { seededRandom } from '@attune/core/testing'
import { pause } from './_pause.ts'

const WRITERS = 4

/** Batches of a few visitors by each writer, in the order they are stored; events come twice now and then, and late. */
export async function writeAll(
  container: Container,
  { perSecond, seed, items }: { readonly perSecond: number; readonly seed: number; readonly items: number },
  signal: AbortSignal,
): Promise<BatchDocument[]> {
  const all = await Promise.all(
    Array.from({ length: WRITERS }, (_, writer) => {
      const random = seededRandom(seed * 1_000 + writer)
      return write(container, { writer, items, everyMs: (WRITERS * 1_000) / perSecond }, random, signal)
    }),
  )
  return all.flat()
}

async function write(
  container: Container,
  { writer, items, everyMs }: { readonly writer: number; readonly items: number; readonly everyMs: number },
  random: () => number,
  signal: AbortSignal,
): Promise<BatchDocument[]> {
  const documents: BatchDocument[] = []
  let last: TrackedEvent | undefined
  while (!signal.aborted) {
    const at = Date.now()
    const events = Array.from({ length: 1 + Math.floor(random() * 4) }, (_, index): TrackedEvent => ({
      id: `event-${writer}-${documents.length}-${index}`,
      kind: random() < 0.8 ? 'click' : 'view',
      item: random() < 0.1 ? `new-${Math.floor(random() * 20)}` : `item-${Math.floor(random() * items)}`,
      at: at - Math.floor(random() * 60_000),
    }))
    if (last !== undefined && random() < 0.1) events.push(last)
    last = events[0]
    const document: BatchDocument = {
      id: `batch-${writer}-${documents.length}`,
      visitor: `shop:v${writer}-${Math.floor(random() * 12)}`,
      site: 'shop',
      at,
      received: at,
      events,
    }
    await stored(() => container.items.create(document))
    documents.push(document)
    await pause(random() * 2 * everyMs)
  }
  return documents
}

/** Tries until it is there; 409 says that it was. */
async function stored(action: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await action()
      return
    } catch (error) {
      if ((error as { code?: unknown }).code === 409) return
      await pause(50)
    }
  }
}

/** Changes of the catalogue, and deletions. @returns the newest of each item */
export async function writeItems(
  container: Container,
  items: number,
  random: () => number,
  signal: AbortSignal,
): Promise<Map<string, ItemAttributes | null>> {
  const newest = new Map<string, ItemAttributes | null>()
  while (!signal.aborted) {
    const item = `item-${Math.floor(random() * items)}`
    const attributes = random() < 0.1 ? null : { stock: Math.floor(random() * 1_000), category: 'shoes' }
    const document: ItemDocument = {
      id: Buffer.from(item).toString('base64url'),
      item,
      attributes: attributes ?? {},
      updated: Date.now(),
      ...(attributes === null && { deleted: true }),
    }
    await stored(() => container.items.upsert(document))
    newest.set(item, attributes)
    await pause(40)
  }
  return newest
}
