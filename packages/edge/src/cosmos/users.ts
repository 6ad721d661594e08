import { USERS_CONTAINER } from '@attune/core'
import { sha256Hex } from '@attune/core/artifact'
import type { CosmosConfig } from '../config.ts'
import { createDocument, deleteDocument, queryAll, readDocument, type Partition } from './partition.ts'
import type { Regions } from './regions.ts'
import type { CosmosFetch } from './request.ts'

/** A user of the site: one visitor on all devices. Partition `<site>:u:<digest>`, with a document per linked handle beside it. */
interface UserDocument {
  readonly id: typeof USER
  readonly user: string
  /** Id of the visitor that all devices of this user are. */
  readonly visitor: string
  /** Milliseconds since 1970. */
  readonly at: number
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

/**
 * Which visitor ids belong to one user of a site. The user's id is kept as a digest only. Every write is a `create`, so
 * that what is repeated or done on two devices at once leaves the same documents.
 */
export class Users {
  readonly #fetch: CosmosFetch
  readonly #regions: Regions
  readonly #link: string

  constructor(config: CosmosConfig, regions: Regions, cosmosFetch: CosmosFetch) {
    this.#fetch = cosmosFetch
    this.#regions = regions
    this.#link = `dbs/${config.database}/colls/${USERS_CONTAINER.id}`
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
    const visitor = await this.#visitorOf(partition, fresh, now)
    const back = this.#back(site, visitor)
    const document: BackDocument = { id: BACK, user: back.key, of: partition.key }
    await createDocument(back, document)
    if (linked !== undefined && linked !== visitor)
      await createDocument(partition, { id: linked, user: partition.key, at: now })
    return visitor
  }

  /**
   * All visitor ids of the user whom `visitor` stands for, `visitor` first; only itself when it stands for no user. A
   * handle that was linked does not lead to the user: whoever uses the device after them would read what they did.
   *
   * @throws {CosmosError}
   */
  async coveredBy(site: string, visitor: string): Promise<readonly string[]> {
    const back = await readDocument<BackDocument>(this.#back(site, visitor), BACK)
    if (back === undefined) return [visitor]
    const { documents } = await queryAll(this.#partition(back.of), 'SELECT c.id FROM c')
    const linked = documents.map(({ id }) => String(id)).filter((id) => id !== USER && id !== visitor)
    return [visitor, ...linked]
  }

  /** Takes the user away, with all links. @throws {CosmosError} */
  async forget(site: string, visitor: string): Promise<void> {
    const back = this.#back(site, visitor)
    const found = await readDocument<BackDocument>(back, BACK)
    if (found === undefined) return
    const partition = this.#partition(found.of)
    const { documents } = await queryAll(partition, 'SELECT c.id FROM c')
    for (const { id } of documents) await deleteDocument(partition, String(id))
    // Last: as long as it is there, a deletion that was cut short can be done again.
    await deleteDocument(back, BACK)
  }

  async #visitorOf(partition: Partition, fresh: string, now: number): Promise<string> {
    const known = await readDocument<UserDocument>(partition, USER)
    if (known !== undefined) return known.visitor
    const document: UserDocument = { id: USER, user: partition.key, visitor: fresh, at: now }
    if (await createDocument(partition, document)) return fresh
    // Another device was first, a moment ago.
    return (await readDocument<UserDocument>(partition, USER))?.visitor ?? fresh
  }

  #back(site: string, visitor: string): Partition {
    return this.#partition(`${site}:v:${visitor}`)
  }

  #partition(key: string): Partition {
    return { fetch: this.#fetch, endpoint: this.#regions.write, link: this.#link, key }
  }
}
