import type { DurableObjectNamespace, R2Bucket } from '@cloudflare/workers-types'
import type { AppendResult, ModelStore, Pointer } from './store.ts'

/** What the store calls on the Durable Object; every answer is a promise across the isolates. */
interface RemoteLog {
  putManifest(epoch: number, jws: string): Promise<void>
  getManifest(epoch: number): Promise<string | undefined>
  deleteManifest(epoch: number): Promise<void>
  epochs(): Promise<number[]>
  pointer(): Promise<Pointer | undefined>
  activate(epoch: number, at: string): Promise<boolean>
  point(epoch: number, at: string): Promise<void>
  appendDelta(epoch: number, delta: number, body: Uint8Array): Promise<AppendResult>
  deltasAfter(epoch: number, after: number): Promise<Uint8Array[]>
}

const LOG_NAME = 'models'
const FILES = 'files/'
const MAX_DELETED = 1_000

/** A ModelStore on Cloudflare: files in R2; manifests, pointer and delta log in the Durable Object `ModelLog`. */
export class R2AndDurableObjectModelStore implements ModelStore {
  readonly #bucket: R2Bucket
  readonly #namespace: DurableObjectNamespace

  constructor(bucket: R2Bucket, namespace: DurableObjectNamespace) {
    this.#bucket = bucket
    this.#namespace = namespace
  }

  async hasFile(sha256: string): Promise<boolean> {
    return (await this.#bucket.head(key(sha256))) !== null
  }

  async putFile(sha256: string, bytes: Uint8Array): Promise<void> {
    await this.#bucket.put(key(sha256), bytes)
  }

  async getFile(sha256: string): Promise<Uint8Array | undefined> {
    const object = await this.#bucket.get(key(sha256))
    return object === null ? undefined : new Uint8Array(await object.arrayBuffer())
  }

  async putManifest(epoch: number, jws: string): Promise<void> {
    await this.#log().putManifest(epoch, jws)
  }

  getManifest(epoch: number): Promise<string | undefined> {
    return this.#log().getManifest(epoch)
  }

  async deleteManifest(epoch: number): Promise<void> {
    await this.#log().deleteManifest(epoch)
  }

  async filesBefore(time: number): Promise<string[]> {
    const old: string[] = []
    let cursor: string | undefined
    do {
      const page = await this.#bucket.list({ prefix: FILES, ...(cursor !== undefined && { cursor }) })
      for (const { key, uploaded } of page.objects)
        if (uploaded.getTime() < time) old.push(key.slice(FILES.length))
      cursor = page.truncated ? page.cursor : undefined
    } while (cursor !== undefined)
    return old
  }

  /** A thousand at a time, which is what one call takes. */
  async deleteFiles(sha256s: readonly string[]): Promise<void> {
    for (let first = 0; first < sha256s.length; first += MAX_DELETED)
      await this.#bucket.delete(sha256s.slice(first, first + MAX_DELETED).map(key))
  }

  epochs(): Promise<number[]> {
    return this.#log().epochs()
  }

  pointer(): Promise<Pointer | undefined> {
    return this.#log().pointer()
  }

  activate(epoch: number, at: string): Promise<boolean> {
    return this.#log().activate(epoch, at)
  }

  async point(epoch: number, at: string): Promise<void> {
    await this.#log().point(epoch, at)
  }

  appendDelta(epoch: number, delta: number, body: Uint8Array): Promise<AppendResult> {
    return this.#log().appendDelta(epoch, delta, body)
  }

  deltasAfter(epoch: number, after: number): Promise<Uint8Array[]> {
    return this.#log().deltasAfter(epoch, after)
  }

  /** A stub belongs to the request that made it, so each call makes its own. */
  #log(): RemoteLog {
    return this.#namespace.get(this.#namespace.idFromName(LOG_NAME)) as unknown as RemoteLog
  }
}

function key(sha256: string): string {
  return `${FILES}${sha256}`
}
