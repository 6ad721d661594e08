import { sign } from '../../src/protocol/auth.ts'
import { CONTAINER, type Cluster } from './cluster.ts'
import type { History } from './history.ts'
import { Session } from './session.ts'

const REQUEST_TIMEOUT_MS = 3000
export const PARTITIONS = 12

export interface Answer {
  readonly status: number
  readonly substatus: number
  readonly token: string | null
  readonly etag: string | null
  readonly lsn: number
  readonly json: unknown
}

/** One signed request to one region; undefined when no answer came: it may have happened or not. */
export async function request(
  cluster: Cluster,
  region: number,
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: unknown,
): Promise<Answer | undefined> {
  const segments = path.split('/').filter((part) => part !== '')
  const even = segments.length % 2 === 0
  const type = (even ? segments.at(-2) : segments.at(-1)) ?? ''
  const link = (even ? segments : segments.slice(0, -1)).join('/')
  const date = new Date().toUTCString()
  try {
    const response = await fetch((cluster.endpoints[region] ?? '') + path, {
      method,
      headers: {
        authorization: sign(cluster.key, method, type, link, date),
        'x-ms-date': date,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    })
    const text = await response.text()
    return {
      status: response.status,
      substatus: Number(response.headers.get('x-ms-substatus') ?? 0),
      token: response.headers.get('x-ms-session-token'),
      etag: response.headers.get('etag'),
      lsn: Number(response.headers.get('lsn') ?? 0),
      json: text === '' ? undefined : (JSON.parse(text) as unknown),
    }
  } catch {
    // Down, or the connection was cut: do not run in circles.
    await new Promise((resolve) => setTimeout(resolve, 25))
    return undefined
  }
}

interface Item {
  readonly id: string
  readonly n: number
}

/** Writes its own registers, reads everyone's, hands its session on. */
export class Client {
  session: Session = new Session()
  readonly #id: number
  readonly #cluster: Cluster
  readonly #history: History
  readonly #random: () => number
  readonly #strong: boolean
  #writeRegion = 0

  constructor(id: number, cluster: Cluster, history: History, random: () => number, strong: boolean) {
    this.#id = id
    this.#cluster = cluster
    this.#history = history
    this.#random = random
    this.#strong = strong
  }

  #pick(count: number): number {
    return Math.floor(this.#random() * count)
  }

  async step(others: readonly Client[]): Promise<void> {
    this.#history.operations++
    const dice = this.#random()
    const partition = `p${this.#pick(PARTITIONS)}`
    if (dice < 0.3) await this.#write(partition)
    else if (dice < 0.4) await this.#writeBoth(partition)
    else if (dice < 0.45) await this.#readEventually(partition, `c${this.#pick(others.length)}`)
    else if (dice < 0.75) await this.#read(partition, `c${this.#pick(others.length)}`)
    else if (dice < 0.92) await this.#query(partition)
    else if (dice < 0.97) this.session.adopt(others[this.#pick(others.length)]?.session ?? this.session)
    else this.session = new Session()
  }

  #headers(partition: string): Record<string, string> {
    const { token } = this.session
    return {
      'x-ms-documentdb-partitionkey': JSON.stringify([partition]),
      ...(token === '' ? {} : { 'x-ms-session-token': token }),
    }
  }

  /** At the write region, looking for it when it has moved. */
  async #atWriteRegion(
    method: string,
    path: string,
    headers: Record<string, string>,
    body: unknown,
  ): Promise<Answer | undefined> {
    for (let tries = 0; tries < this.#cluster.endpoints.length; tries++) {
      const answer = await request(this.#cluster, this.#writeRegion, method, path, headers, body)
      if (answer?.status !== 403) return answer
      this.#writeRegion = (this.#writeRegion + 1) % this.#cluster.endpoints.length
    }
    return undefined
  }

  /** A new value for this client's register in a partition. */
  async #write(partition: string): Promise<void> {
    const register = `${partition}/c${this.#id}`
    const seen = this.#lsnRead.get(partition)
    const value = this.#history.attempt(register)
    const headers = { ...this.#headers(partition), 'x-ms-documentdb-is-upsert': 'True' }
    const item = { id: `c${this.#id}`, pk: partition, n: value }
    const answer = await this.#atWriteRegion('POST', `${CONTAINER}/docs`, headers, item)
    if (answer === undefined) this.#history.unknown++
    if (answer === undefined || answer.status >= 300) return
    this.#wrote(register, value, answer)
    if (seen !== undefined && answer.lsn <= seen) {
      this.#history.violate(
        'writes-follow-reads',
        `${register}=${value} got LSN ${answer.lsn}, after a read at ${seen}`,
      )
    }
  }

  readonly #lsnRead = new Map<string, number>()

  #wrote(register: string, value: number, answer: Answer): void {
    this.session.observe(answer.token)
    this.session.saw(register, value)
    this.#history.acknowledge(register, value)
  }

  /** Two registers in one transaction: nobody may ever see one without the other. */
  async #writeBoth(partition: string): Promise<void> {
    const [left, right] = [`${partition}/c${this.#id}-l`, `${partition}/c${this.#id}-r`]
    const value = this.#history.attempt(left)
    this.#history.attempt(right)
    const headers = {
      ...this.#headers(partition),
      'x-ms-cosmos-is-batch-request': 'True',
      'x-ms-cosmos-batch-atomic': 'True',
    }
    const operations = ['l', 'r'].map((side) => ({
      operationType: 'Upsert',
      resourceBody: { id: `c${this.#id}-${side}`, pk: partition, n: value },
    }))
    const answer = await this.#atWriteRegion('POST', `${CONTAINER}/docs`, headers, operations)
    if (answer === undefined) this.#history.unknown++
    if (answer?.status !== 200) return
    this.#wrote(left, value, answer)
    this.#wrote(right, value, answer)
  }

  /** A region behind the token says so (404/1002); then the write region must answer. */
  async #readSomewhere(
    method: string,
    path: string,
    headers: Record<string, string>,
    body?: unknown,
  ): Promise<Answer | undefined> {
    const region = this.#pick(this.#cluster.endpoints.length)
    const answer = await request(this.#cluster, region, method, path, headers, body)
    if (answer?.status !== 404 || answer.substatus !== 1002) return answer
    this.#history.stale++
    return request(this.#cluster, this.#writeRegion, method, path, headers, body)
  }

  async #read(partition: string, id: string): Promise<void> {
    const register = `${partition}/${id}`
    const floor = this.#floor(register)
    const answer = await this.#readSomewhere('GET', `${CONTAINER}/docs/${id}`, this.#headers(partition))
    if (answer === undefined || answer.substatus !== 0 || (answer.status !== 200 && answer.status !== 404))
      return
    const value = answer.status === 404 ? 0 : (answer.json as Item).n
    this.#check(register, value, floor)
    this.#remember(partition, answer)
  }

  #remember(partition: string, answer: Answer): void {
    this.session.observe(answer.token)
    if (answer.lsn > 0) this.#lsnRead.set(partition, answer.lsn)
  }

  #floor(register: string): number {
    const own = this.session.floors.get(register) ?? 0
    if (!this.#strong) return own
    const { acknowledged, observed } = this.#history
    return Math.max(own, acknowledged.get(register) ?? 0, observed.get(register) ?? 0)
  }

  #check(register: string, value: number, floor: number): void {
    if (value < floor) {
      const mine = register.split('/')[1]?.split('-')[0] === `c${this.#id}`
      const property = this.#strong ? 'strong' : mine ? 'read-your-writes' : 'monotonic-reads'
      this.#history.violate(property, `${register} read as ${value}, at least ${floor} was due`)
    }
    if (value > (this.#history.attempted.get(register) ?? 0)) {
      this.#history.violate('only-what-was-written', `${register} read as ${value}, which nobody wrote`)
    }
    this.session.saw(register, value)
    this.#history.observed.set(register, Math.max(value, this.#history.observed.get(register) ?? 0))
  }

  /** Without a token and at the weakest level: old is allowed, made up is not. */
  async #readEventually(partition: string, id: string): Promise<void> {
    const headers = {
      'x-ms-documentdb-partitionkey': JSON.stringify([partition]),
      'x-ms-consistency-level': 'Eventual',
    }
    const region = this.#pick(this.#cluster.endpoints.length)
    const answer = await request(this.#cluster, region, 'GET', `${CONTAINER}/docs/${id}`, headers)
    if (answer?.status !== 200) return
    const value = (answer.json as Item).n
    if (value < 1 || value > (this.#history.attempted.get(`${partition}/${id}`) ?? 0)) {
      this.#history.violate('only-what-was-written', `${partition}/${id} read as ${value}, eventually`)
    }
  }

  async #query(partition: string): Promise<void> {
    const floors = new Map(
      [...this.#history.attempted.keys()]
        .filter((one) => one.startsWith(`${partition}/`))
        .map((one) => [one, this.#floor(one)]),
    )
    const headers = {
      ...this.#headers(partition),
      'x-ms-documentdb-isquery': 'True',
      'x-ms-max-item-count': '1000',
    }
    const answer = await this.#readSomewhere('POST', `${CONTAINER}/docs`, headers, {
      query: 'SELECT c.id, c.n FROM c',
    })
    if (answer?.status !== 200) return
    const rows = new Map(
      (answer.json as { Documents: Item[] }).Documents.map((one) => [`${partition}/${one.id}`, one.n]),
    )
    for (const [register, floor] of floors) this.#check(register, rows.get(register) ?? 0, floor)
    for (const [register, value] of rows) {
      if (!register.endsWith('-l')) continue
      const other = rows.get(`${register.slice(0, -1)}r`)
      if (other !== value)
        this.#history.violate('batch-atomic', `${register}=${value} beside ${String(other)}`)
    }
    this.#remember(partition, answer)
  }
}
