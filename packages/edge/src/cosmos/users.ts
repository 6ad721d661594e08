import { USERS_CONTAINER } from '@attune/core'
import { sha256Hex } from '@attune/core/artifact'
import type { CosmosConfig } from '../config.ts'
import { CosmosError } from './errors.ts'
import {
  createDocument,
  deleteDocument,
  patchDocument,
  queryAll,
  readDocument,
  type Partition,
} from './partition.ts'
import type { Regions } from './regions.ts'
import type { CosmosFetch } from './request.ts'

/** A user of the site: one visitor on all devices. Partition `<site>:u:<digest>`, with a document per linked handle beside it. */
interface UserDocument {
  readonly id: typeof USER
  readonly user: string
  /** Id of the visitor that all devices of this user are. */
  readonly visitor: string
  /** When this was last said, milliseconds since 1970. */
  readonly at: number
}

/** What is stored of a user: when it was last identified, and under which handles before. */
export interface UserLinks {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly linked: readonly { readonly visitor: string; readonly at: number }[]
}

/** The way back from a user's visitor id. Partition `<site>:v:<visitor id>`. */
interface BackDocument {
  readonly id: typeof BACK
  readonly user: string
  /** Partition of the user's own documents. */
  readonly of: string
}

const USER = 'user'
const BACK = 'back'
const DAY_MS = 86_400_000
/** How long links are kept counts from then; said anew at most so often, as it costs a write. */
const RENEW_MS = DAY_MS
/** Passes over what is left: a device may identify while its user is being deleted. */
const MAX_PASSES = 5

/**
 * Which visitor ids belong to one user of a site. The user's id is kept as a digest only. What is new is a `create` and
 * what is renewed a `patch`: what is repeated or done on two devices at once leaves the same documents, and nothing that
 * was deleted meanwhile comes back.
 */
export class Users {
  readonly #fetch: CosmosFetch
  readonly #regions: Regions
  readonly #link: string
  readonly #keep: { readonly ttl?: number }

  /** @param keepDays - days that links are kept after the user was last identified; undefined: until deleted */
  constructor(config: CosmosConfig, regions: Regions, cosmosFetch: CosmosFetch, keepDays?: number) {
    this.#fetch = cosmosFetch
    this.#regions = regions
    this.#link = `dbs/${config.database}/colls/${USERS_CONTAINER.id}`
    this.#keep = keepDays === undefined ? {} : { ttl: (keepDays * DAY_MS) / 1_000 }
  }

  /**
   * The visitor id of a user, the same on all devices: the one stored, or `fresh` when this is the first.
   *
   * @param linked - id of the handle the device had before; undefined: none
   * @throws {CosmosError}
   */
  async identify(
    site: string,
    user: string,
    fresh: string,
    linked: string | undefined,
    now: number,
  ): Promise<string> {
    const partition = this.#partition(`${site}:u:${await sha256Hex(new TextEncoder().encode(user))}`)
    const { visitor, stale } = await this.#visitorOf(partition, fresh, now)
    const back = this.#back(site, visitor)
    const document: BackDocument = { id: BACK, user: back.key, of: partition.key }
    const renewed = { at: now, ...this.#keep }
    if (!(await createDocument(back, { ...document, ...this.#keep })) && stale)
      await patchDocument(back, BACK, renewed)
    if (stale) await patchDocument(partition, USER, renewed)
    if (linked !== undefined && linked !== visitor) {
      const link = { id: linked, user: partition.key, ...renewed }
      if (!(await createDocument(partition, link))) await patchDocument(partition, linked, renewed)
    }
    return visitor
  }

  /**
   * What is stored of the user whom `visitor` stands for; undefined when it stands for none. A handle that was linked
   * does not lead to the user: whoever uses the device after them would read what they did.
   *
   * @throws {CosmosError}
   */
  async linksOf(site: string, visitor: string): Promise<UserLinks | undefined> {
    const back = await readDocument<BackDocument>(this.#back(site, visitor), BACK)
    if (back === undefined) return undefined
    const { documents } = await queryAll(this.#partition(back.of), 'SELECT c.id, c.at FROM c')
    const linked = documents.flatMap(({ id, at }) =>
      id === USER || id === visitor ? [] : [{ visitor: String(id), at: Number(at) }],
    )
    return { at: Number(documents.find(({ id }) => id === USER)?.['at'] ?? 0), linked }
  }

  /**
   * Takes the user away, with all links, then looks again.
   *
   * @returns how many documents were deleted
   * @throws {CosmosError}; `COSMOS_RETRY` when devices keep identifying as this user
   */
  async forget(site: string, visitor: string): Promise<number> {
    const back = this.#back(site, visitor)
    const found = await readDocument<BackDocument>(back, BACK)
    if (found === undefined) return 0
    const partition = this.#partition(found.of)
    let deleted = 0
    for (let pass = 0; ; pass++) {
      const { documents } = await queryAll(partition, 'SELECT c.id FROM c')
      if (documents.length === 0) break
      if (pass === MAX_PASSES)
        throw new CosmosError('COSMOS_RETRY', 'devices keep identifying as the user who is being deleted')
      for (const { id } of documents) if (await deleteDocument(partition, String(id))) deleted++
    }
    // Last: as long as it is there, a deletion that was cut short can be done again.
    return (await deleteDocument(back, BACK)) ? deleted + 1 : deleted
  }

  async #visitorOf(
    partition: Partition,
    fresh: string,
    now: number,
  ): Promise<{ readonly visitor: string; readonly stale: boolean }> {
    const known = await readDocument<UserDocument>(partition, USER)
    if (known !== undefined) return { visitor: known.visitor, stale: now - known.at >= RENEW_MS }
    const document: UserDocument = { id: USER, user: partition.key, visitor: fresh, at: now }
    if (await createDocument(partition, { ...document, ...this.#keep }))
      return { visitor: fresh, stale: false }
    // Another device was first, a moment ago.
    const first = await readDocument<UserDocument>(partition, USER)
    return { visitor: first?.visitor ?? fresh, stale: false }
  }

  #back(site: string, visitor: string): Partition {
    return this.#partition(`${site}:v:${visitor}`)
  }

  #partition(key: string): Partition {
    return { fetch: this.#fetch, endpoint: this.#regions.write, link: this.#link, key }
  }
}
