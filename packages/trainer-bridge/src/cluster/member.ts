import type { Container, CosmosClient } from '@azure/cosmos'
import { DATABASE, LEASES_CONTAINER } from '@attune/core'
import { createSigner } from '../artifact/sign.ts'
import type { BridgeStatus } from '../bridge-deps.ts'
import { Bridge } from '../bridge.ts'
import { Election, type Leadership } from '../change-feed/election.ts'
import { startChangeFeedProcessor, type ChangeFeedProcessor } from '../change-feed/processor.ts'
import { sleep } from '../change-feed/sleep.ts'
import { cosmosClient } from '../cosmos-client.ts'
import { BridgeError, sentence } from '../error.ts'
import { ITEMS_PER_PAGE, toPage, type Feeds } from '../own-feeds.ts'
import type { FeedName } from '../refresh/micro-batch.ts'
import { bridgeDeps, openContainer, openFeeds, type BridgeOptions } from '../start.ts'
import { openGeneration } from '../state/generation.ts'
import { startFeedServer, type FeedServer } from './feed-server.ts'
import { LeaderLink } from './leader-link.ts'
import { clusterKey } from './wire.ts'

/** One of several bridges that share the feeds; one of them leads. `folder` is shared by all. */
export interface MemberOptions extends Omit<BridgeOptions, 'onStatus'> {
  readonly cluster: ClusterOptions
  readonly onStatus?: (status: MemberStatus) => void
}

export interface ClusterOptions {
  /** Different from all others running; a random one when absent. */
  readonly instance?: string
  /** Name or address under which the others reach this one. */
  readonly host: string
  /** Where it listens to them; any free one when absent. */
  readonly port?: number
  /** Address it listens on; `host` when absent. */
  readonly listen?: string
  /** Members of the same name belong together; `attune` when absent. */
  readonly name?: string
  /** A lease or the leadership is free when it is not renewed for so long, 10,000 when absent. */
  readonly ttlMs?: number
  /** How often leases and the leadership are looked at, 1,000 when absent. */
  readonly roundMs?: number
}

export type MemberStatus =
  | BridgeStatus
  | { readonly type: 'role'; readonly leads: boolean; readonly generation: number }
  | { readonly type: 'cluster'; readonly error: string }

/** What a leader leaves to the next one. */
interface LeaderData {
  /** Where it takes pages. */
  readonly url: string
  /** Highest epoch number that was ever given out. */
  readonly epoch: number
  /** Generation that ended in order: it told edges nothing that is not in its folder. */
  readonly left: number | null
  /** `left`, as this leader found it. */
  readonly before: number | null
}

const CHECKPOINT_MS = 1_000

/**
 * Starts a bridge that shares its work with others: it reads the ranges it is due and hands their pages to the one that
 * leads, which takes them in, keeps the state and tells the edges. Any of them takes the lead when there is none.
 *
 * @throws {BridgeError} `SIGNING_KEY_INVALID`, `CONTAINER_MISSING`
 */
export async function startMember(options: MemberOptions): Promise<Member> {
  const { cosmos, signingKey } = options
  await createSigner(signingKey)
  const client = cosmosClient(cosmos, 'attune-bridge')
  try {
    const database = cosmos.database ?? DATABASE
    const feeds = await openFeeds(client, database)
    const leases = await openContainer(client, database, LEASES_CONTAINER.id)
    const member = new Member(options, client, feeds, leases)
    await member.open()
    return member
  } catch (error) {
    client.dispose()
    throw error
  }
}

/** See {@link startMember}. */
export class Member {
  readonly #options: MemberOptions
  readonly #client: CosmosClient
  readonly #feeds: Feeds
  readonly #leases: Container
  readonly #key: Buffer
  readonly #link: LeaderLink
  readonly instance: string
  #server: FeedServer | undefined
  #election: Election<LeaderData> | undefined
  #processors: readonly [FeedName, ChangeFeedProcessor<unknown>][] = []
  #bridge: Bridge | undefined
  #closing: Promise<void> | undefined

  constructor(options: MemberOptions, client: CosmosClient, feeds: Feeds, leases: Container) {
    this.#options = options
    this.#client = client
    this.#feeds = feeds
    this.#leases = leases
    this.#key = clusterKey(options.signingKey)
    this.instance = options.cluster.instance ?? crypto.randomUUID()
    this.#link = new LeaderLink({
      key: this.#key,
      bridge: () => this.#bridge,
      url: () => this.#election?.leader?.data.url,
      look: () => this.#election?.look(),
      fetch: options.fetch ?? fetch,
    })
  }

  /** Begins to take part; called once, by {@link startMember}. */
  async open(): Promise<void> {
    const { cluster, random } = this.#options
    const { host, port = 0, listen = host, name = 'attune', ttlMs = 10_000, roundMs = 1_000 } = cluster
    this.#server = await startFeedServer({
      host: listen,
      port,
      key: this.#key,
      bridge: () => this.#bridge,
    })
    const url = `http://${host.includes(':') ? `[${host}]` : host}:${this.#server.port}`
    this.#election = new Election<LeaderData>({
      leases: this.#leases,
      id: `${name}-leader`,
      instance: this.instance,
      initial: { url, epoch: 0, left: null, before: null },
      claim: ({ epoch, left }) => ({ url, epoch, left: null, before: left }),
      lead: (leadership, signal) => this.#lead(leadership, signal),
      ttlMs,
      roundMs,
      onError: (error) => {
        this.#report({ type: 'cluster', error: sentence(error) })
      },
      ...(random !== undefined && { random }),
    })
    const feeds = (['events', 'items'] as const).filter((feed) => this.#feeds[feed] !== undefined)
    this.#processors = await Promise.all(
      feeds.map(async (feed): Promise<[FeedName, ChangeFeedProcessor<unknown>]> => [
        feed,
        await this.#process(feed, name, ttlMs, roundMs),
      ]),
    )
  }

  /** The bridge of this instance, while it leads. */
  get bridge(): Bridge | undefined {
    return this.#bridge
  }

  /** What this instance reads, by feed. */
  get processors(): readonly (readonly [FeedName, ChangeFeedProcessor<unknown>])[] {
    return this.#processors
  }

  /** Whether some instance leads, as last seen. */
  get ready(): boolean {
    return this.#bridge !== undefined || this.#election?.leader !== undefined
  }

  /** Lets ranges go, then the leadership, in order: pages in hand are still taken in. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await Promise.all(this.#processors.map(([, processor]) => processor.stop()))
    await this.#election?.close()
    await this.#server?.close()
    this.#client.dispose()
  }

  #process(
    feed: FeedName,
    name: string,
    ttlMs: number,
    roundMs: number,
  ): Promise<ChangeFeedProcessor<unknown>> {
    const { cosmos, idleMs, random } = this.#options
    const container = this.#feeds[feed]
    if (container === undefined) throw new BridgeError('CONTAINER_MISSING', feed)
    return startChangeFeedProcessor<unknown>({
      container,
      leases: this.#leases,
      endpoint: cosmos.endpoint,
      name,
      instance: this.instance,
      handOverEmpty: true,
      restore: (range) => this.#link.place(feed, range),
      onChanges: (documents, { range, continuation, previous, through, signal }) =>
        this.#link.deliver(
          toPage(feed, range, { documents, continuation, through }),
          previous ?? null,
          signal,
        ),
      ...(feed === 'items' && { maxItemCount: ITEMS_PER_PAGE }),
      checkpointEveryMs: CHECKPOINT_MS,
      ttlMs,
      roundMs,
      ...(idleMs !== undefined && { idleMs }),
      ...(random !== undefined && { random }),
      onError: (range, error, retryInMs) => {
        this.#report({ type: 'feed', range: `${feed} ${range}`, error: sentence(error), retryInMs })
      },
    })
  }

  async #lead(leadership: Leadership<LeaderData>, signal: AbortSignal): Promise<LeaderData | undefined> {
    const { generation } = leadership
    let { data } = leadership
    const { folder, from } = await openGeneration(this.#options.folder, generation)
    const ended = new AbortController()
    const epoch = async (above: number): Promise<number> => {
      const next = Math.max(above, data.epoch) + 1
      data = { ...data, epoch: next }
      if (await leadership.update(data)) return next
      throw new BridgeError('LEADERSHIP_LOST', `generation ${generation}: another instance leads`)
    }
    const bridge = await Bridge.start({
      ...(await bridgeDeps(this.#options, folder)),
      leadership: {
        epoch,
        held: (waiting) => leadership.whenHeld(waiting),
        orderly: from !== undefined && data.before === from,
      },
      onStatus: (status) => {
        if (status.type === 'stopped') ended.abort()
        this.#report(status)
      },
    })
    this.#bridge = bridge
    this.#report({ type: 'role', leads: true, generation })
    await sleep(2 ** 31 - 1, AbortSignal.any([signal, ended.signal]))
    this.#bridge = undefined
    await bridge.close()
    this.#report({ type: 'role', leads: false, generation })
    const orderly = !ended.signal.aborted && !leadership.lost.aborted
    return { ...data, left: orderly ? generation : null }
  }

  #report(status: MemberStatus): void {
    this.#options.onStatus?.(status)
  }
}
