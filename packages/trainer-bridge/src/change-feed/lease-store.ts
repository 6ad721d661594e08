import type { Container, ItemDefinition } from '@azure/cosmos'
import { withinTime } from './within-time.ts'

/** What every document of the lease container has. */
export interface StoredDocument {
  readonly id: string
  readonly _etag: string
}

const TIMEOUT_MS = 5_000

/** Documents of the lease container, partitioned by `/id`; every write says which version it replaces. */
export class LeaseStore {
  readonly #container: Container
  readonly #signal: AbortSignal
  #ru = 0

  constructor(container: Container, signal: AbortSignal) {
    this.#container = container
    this.#signal = signal
  }

  /** RU charged so far. */
  get ru(): number {
    return this.#ru
  }

  async list<Document extends StoredDocument>(prefix: string): Promise<Document[]> {
    const query = {
      query: 'SELECT * FROM c WHERE STARTSWITH(c.id, @prefix)',
      parameters: [{ name: '@prefix', value: prefix }],
    }
    const answer = await this.#timely(
      'lease container: query',
      this.#container.items.query<Document>(query, { enableScanInQuery: true }).fetchAll(),
    )
    this.#ru += answer.requestCharge
    return answer.resources
  }

  async read<Document extends StoredDocument>(id: string): Promise<Document | undefined> {
    const answer = await this.#timely(`${id}: read`, this.#container.item(id, id).read<Document>())
    this.#ru += answer.requestCharge
    return answer.resource
  }

  /** @returns undefined when there is one of this id */
  create<Document extends StoredDocument>(body: Omit<Document, '_etag'>): Promise<Document | undefined> {
    return this.#write(`${body.id}: create`, [409], () =>
      this.#container.items.create<Document>(body as unknown as Document),
    )
  }

  /** @returns undefined when it was changed or deleted meanwhile */
  replace<Document extends StoredDocument>(
    body: Omit<Document, '_etag'>,
    etag: string,
  ): Promise<Document | undefined> {
    return this.#write(`${body.id}: replace`, [404, 412], () =>
      this.#container.item(body.id, body.id).replace<Document>(body as unknown as Document, {
        accessCondition: { type: 'IfMatch', condition: etag },
      }),
    )
  }

  async upsert(body: ItemDefinition): Promise<void> {
    await this.#write(`${body.id}: upsert`, [], () => this.#container.items.upsert<ItemDefinition>(body))
  }

  /** @returns false when it was changed or deleted meanwhile */
  async delete({ id, _etag }: StoredDocument): Promise<boolean> {
    let gone = true
    await this.#write(`${id}: delete`, [404, 412], async () => {
      gone = false
      const answer = await this.#container
        .item(id, id)
        .delete({ accessCondition: { type: 'IfMatch', condition: _etag } })
      gone = true
      return { requestCharge: answer.requestCharge, resource: undefined }
    })
    return gone
  }

  async #write<Document>(
    what: string,
    expected: readonly number[],
    action: () => Promise<{ requestCharge: number; resource?: Document | undefined }>,
  ): Promise<Document | undefined> {
    try {
      const answer = await this.#timely(what, action())
      this.#ru += answer.requestCharge
      return answer.resource
    } catch (error) {
      if (expected.includes(Number((error as { code?: unknown }).code))) return undefined
      throw error
    }
  }

  async #timely<T>(what: string, answer: Promise<T>): Promise<T> {
    const settled = await withinTime(what, answer, TIMEOUT_MS, this.#signal)
    if (settled === undefined) throw new Error(`${what}: abandoned`)
    return settled
  }
}
