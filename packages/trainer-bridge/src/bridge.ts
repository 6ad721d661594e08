import type { Artifact } from './artifact/build.ts'
import { keepEpochs, modelOf, readArtifact } from './artifact/folder.ts'
import type { BridgeDeps, BridgeStatus, NewBase } from './bridge-deps.ts'
import { keyOf, type KeyRange } from './change-feed/places.ts'
import type { FeedStart } from './change-feed/read.ts'
import { FeedTotals } from './change-feed/reader.ts'
import { sleep } from './change-feed/sleep.ts'
import { deltaBytesOf, signEpoch, startTime, writeEpoch } from './epoch.ts'
import { BridgeError, sentence } from './error.ts'
import { reportOf, requirePassed } from './gate/report.ts'
import { inOrder, type Waiting } from './inbox.ts'
import { publish } from './publish.ts'
import { EdgeFollower, type EdgeStatus, type ReleaseSource } from './push/follow.ts'
import { Release } from './push/release.ts'
import { Reading } from './reading.ts'
import { LiveModel } from './refresh/live-model.ts'
import type { FeedName, FeedPage, MicroBatch } from './refresh/micro-batch.ts'
import type { Snapshot } from './state/snapshot.ts'

const MAX_JOURNAL_BYTES = 16_000_000
/** Visits older than two hours leave memory, and with this the disk too. */
const SAVE_EVERY_MS = 3_600_000
const MAX_DELTAS = 5_000
/** With their maps about 320 MB. */
const MAX_PAIRS = 4_000_000

type Place = Pick<Snapshot, 'baseEpoch' | 'start'>

/** Follows the change feed and keeps edges up to date with it. */
export class Bridge implements ReleaseSource {
  readonly #deps: BridgeDeps
  readonly #stop = new AbortController()
  readonly #followers: EdgeFollower[] = []
  #model: LiveModel
  #place: Place
  #release: Release
  /** Everything that changes model, release or folder runs one after the other. */
  #turn: Promise<unknown> = Promise.resolve()
  #reading: Reading | undefined
  #events = 0
  #savedAt: number

  private constructor(deps: BridgeDeps, model: LiveModel, place: Place, release: Release) {
    this.#deps = deps
    this.#model = model
    this.#place = place
    this.#release = release
    this.#savedAt = deps.now()
  }

  /** Goes on from what the folder holds, or starts with the initial model. */
  static async start(deps: BridgeDeps): Promise<Bridge> {
    const loaded = await deps.folder.load()
    const bridge = loaded === undefined ? await Bridge.#begin(deps) : await Bridge.#resume(deps, loaded)
    try {
      await bridge.#open()
    } catch (error) {
      await bridge.close()
      throw error
    }
    return bridge
  }

  static async #begin(deps: BridgeDeps): Promise<Bridge> {
    const { model, trainer, gate } = await deps.initial()
    const epoch = (await deps.leadership?.epoch(0)) ?? 1
    const artifact = await writeEpoch(deps, model, {
      epoch,
      parent: null,
      trainer,
      gate: { through: startTime(deps.start, deps.now()), ...gate },
      seed: 1,
    })
    const live = new LiveModel(model)
    const place = {
      baseEpoch: epoch,
      start: deps.start instanceof Date ? deps.start.getTime() : deps.start,
    }
    await deps.folder.save({ ...place, epoch, delta: 0, live: live.state() })
    const bridge = new Bridge(deps, live, place, new Release(await signEpoch(deps, artifact), 0))
    bridge.#report({ type: 'epoch', epoch, items: live.items, why: 'initial' })
    return bridge
  }

  static async #resume(
    deps: BridgeDeps,
    { snapshot, batches }: { snapshot: Snapshot; batches: readonly MicroBatch[] },
  ): Promise<Bridge> {
    const base = await readArtifact(deps.folder.path, snapshot.baseEpoch)
    const served =
      snapshot.epoch === snapshot.baseEpoch ? base : await readArtifact(deps.folder.path, snapshot.epoch)
    const live = new LiveModel(modelOf(base), snapshot.live)
    const { baseEpoch, start } = snapshot
    const release = new Release(await signEpoch(deps, served), snapshot.delta)
    const bridge = new Bridge(deps, live, { baseEpoch, start }, release)
    if (deps.leadership !== undefined && !deps.leadership.orderly) {
      // Who led before may have told edges more of its epoch than it wrote down where this one could read it. What edges
      // are told from here on is of another.
      for (const batch of batches) live.apply(batch)
      await bridge.#renew(await deps.leadership.epoch(release.number))
    } else {
      for (const batch of batches) await publish(release, deps.signer, live, batch, live.apply(batch))
    }
    bridge.#report({ type: 'epoch', epoch: bridge.release.number, items: live.items, why: 'resumed' })
    return bridge
  }

  get release(): Release {
    return this.#release
  }

  get model(): LiveModel {
    return this.#model
  }

  get edges(): readonly EdgeStatus[] {
    return this.#followers.map(({ status }) => status)
  }

  get feed(): FeedTotals {
    return this.#reading?.totals ?? new FeedTotals()
  }

  /** Events taken in since the process started, and those read but waiting. */
  get events(): { readonly taken: number; readonly waiting: number } {
    return { taken: this.#events, waiting: this.#reading?.inbox.events ?? 0 }
  }

  /** Where a range of a feed is to be gone on with. */
  place(feed: FeedName, range: KeyRange): { readonly continuation?: string; readonly start: FeedStart } {
    const { start: place } = this.#place
    const start = feed === 'items' ? 'beginning' : typeof place === 'number' ? new Date(place) : place
    const places = this.#model.places(feed)
    if (places.isNew(range)) return { start }
    const continuation = places.continuationOf(range)
    if (continuation !== undefined) return { continuation, start }
    throw new BridgeError(
      'FEED_CONFLICT',
      `${feed} ${keyOf(range)}: a part of it has been read, another has not`,
    )
  }

  /**
   * Takes in a page that somebody else read.
   *
   * @param previous - where its reader stood before it; null at the very first of a range
   * @throws {BridgeError} `FEED_CONFLICT` when that is not where the range was taken in up to; `FEED_CLOSED`
   */
  offer(page: FeedPage, previous: string | null): Promise<void> {
    return (
      this.#reading?.inbox.offer(page, previous) ??
      Promise.reject(new BridgeError('FEED_CLOSED', 'the bridge is not reading yet'))
    )
  }

  /** See {@link ReleaseSource.ready}. */
  async ready(): Promise<boolean> {
    return (await this.#deps.leadership?.held(this.#stop.signal)) ?? true
  }

  /** Stops reading, keeps the state, lets pushes under way end. */
  async close(): Promise<void> {
    if (this.#stop.signal.aborted) return
    this.#stop.abort()
    await this.#reading?.end()
    await Promise.allSettled(this.#followers.map(({ running }) => running))
    await this.#inTurn(() => this.#save()).catch((error: unknown) => {
      this.#report({ type: 'stopped', error: sentence(error) })
    })
    await this.#deps.folder.close()
    this.#deps.dispose()
  }

  /**
   * Goes on from a model trained anew: its epoch is pushed, and what was clicked since its newest visit is read again
   * from Cosmos, which puts every click either in the training or in the counts. Open visits start anew.
   *
   * @throws {BridgeError} `GATE_FAILED` when its gate report says so, `GATE_MISSING` when it has none; the old model goes on
   */
  async adopt(base: NewBase): Promise<void> {
    requirePassed(reportOf(base.gate), this.#release.number + 1)
    await this.#reading?.end()
    try {
      await this.#inTurn(() => this.#adopt(base))
    } finally {
      // When it did not work out, the old model goes on where it was.
      if (!this.#stop.signal.aborted) await this.#startReading()
    }
  }

  async #adopt({ model, trainer, gate, since }: NewBase): Promise<void> {
    const parent = this.#release.number
    const epoch = await this.#number(parent)
    // The catalogue goes on as it was, so that no list shows for a moment what was deleted or sold out.
    const ids = new Set(model.ids)
    const attributes = new Map([...this.#model.attributes].filter(([id]) => ids.has(id)))
    const trained = { ...model, ...(attributes.size > 0 && { attributes }) }
    const artifact = await writeEpoch(this.#deps, trained, {
      epoch,
      parent,
      trainer,
      gate: { ...gate, through: new Date(since).toISOString() },
    })
    const live = new LiveModel(trained)
    await this.#switch(artifact, live, { baseEpoch: epoch, start: since })
    this.#report({ type: 'epoch', epoch, items: live.items, why: 'adopted' })
  }

  /** See {@link ReleaseSource.renew}. */
  renew(above: number): Promise<void> {
    return this.#inTurn(async () => {
      if (this.#release.number > above || this.#stop.signal.aborted) return
      await this.#renew(await this.#number(Math.max(above, this.#release.number)))
    })
  }

  /** A number for a new epoch. */
  async #number(above: number): Promise<number> {
    return (await this.#deps.leadership?.epoch(above)) ?? above + 1
  }

  async #open(): Promise<void> {
    const { random, edges, fetch } = this.#deps
    const { signal } = this.#stop
    await this.#startReading()
    for (const target of edges) {
      this.#followers.push(
        new EdgeFollower({
          target,
          source: this,
          fetch,
          signal,
          sleep,
          random,
          onStatus: (status) => {
            this.#report({ type: 'edge', ...status })
          },
        }),
      )
    }
  }

  async #startReading(): Promise<void> {
    const { feeds, idleMs, random, now, deltaIntervalMs } = this.#deps
    const { start } = this.#place
    this.#reading = await Reading.start({
      feeds,
      start: typeof start === 'number' ? new Date(start) : start,
      places: (feed) => this.#model.places(feed),
      ...(idleMs !== undefined && { idleMs }),
      random,
      now,
      intervalMs: deltaIntervalMs,
      take: (inbox, signal) =>
        this.#inTurn(async () => {
          if (!signal.aborted) await this.#take(inbox.take())
        }),
      onError: (range, error, retryInMs) => {
        this.#report({ type: 'feed', range, error: sentence(error), retryInMs })
      },
      // Without a journal nothing may be told to edges: better to stop where the state on disk is right.
      onStopped: (error) => {
        this.#report({ type: 'stopped', error: sentence(error) })
      },
    })
  }

  async #take(waiting: readonly Waiting[]): Promise<void> {
    const { now, folder, signer, limits = {} } = this.#deps
    if (!(await this.ready())) throw new BridgeError('LEADERSHIP_LOST', 'another instance leads')
    const started = now()
    const following = inOrder(waiting, this.#model)
    if (following.length === 0) return
    const batch: MicroBatch = {
      seq: this.#model.seq + 1,
      at: started,
      pages: following.map(({ page }) => page),
    }
    await folder.append(batch)
    for (const { taken } of following) taken()
    const change = this.#model.apply(batch)
    const bytes = await publish(this.#release, signer, this.#model, batch, change)
    const events = batch.pages.reduce(
      (sum, page) => sum + page.batches.reduce((all, one) => all + one.events.length, 0),
      0,
    )
    this.#events += events
    const { number: epoch, delta } = this.#release
    this.#report({
      type: 'delta',
      epoch,
      delta,
      through: this.#model.through,
      events,
      bytes,
      ms: now() - started,
    })
    if (change.guard?.held === true) this.#report({ type: 'held', epoch, delta, ...change.guard })
    for (const follower of this.#followers) follower.wake()
    const {
      journalBytes = MAX_JOURNAL_BYTES,
      deltas = MAX_DELTAS,
      deltaBytes = deltaBytesOf(this.#release),
      pairs = MAX_PAIRS,
    } = limits
    if (this.#model.pairs > pairs) await this.#fold()
    else if (delta >= deltas || this.#release.totalBytes > deltaBytes)
      await this.#renew(await this.#number(epoch))
    else if (folder.journalBytes > journalBytes || now() - this.#savedAt > SAVE_EVERY_MS) await this.#save()
  }

  async #save(): Promise<void> {
    const { number: epoch, delta } = this.#release
    await this.#deps.folder.save({ ...this.#place, epoch, delta, live: this.#model.state() })
    this.#savedAt = this.#deps.now()
  }

  /** The current state as a full epoch; edges follow it from there. */
  async #renew(epoch: number): Promise<void> {
    const { manifest } = this.#release.epoch
    const artifact = await writeEpoch(this.#deps, this.#model.snapshot(), {
      epoch,
      parent: manifest.epoch,
      trainer: manifest.trainer,
      // What has been clicked until now is in it, to go back to.
      gate: { ...manifest.gate, through: new Date(this.#deps.now()).toISOString() },
    })
    await this.#switch(artifact, this.#model, this.#place)
    this.#report({ type: 'epoch', epoch, items: this.#model.items, why: 'renewed' })
  }

  /** The current state as a full epoch and as the base of what comes: memory is free of the pairs counted until now. */
  async #fold(): Promise<void> {
    const { manifest } = this.#release.epoch
    const epoch = await this.#number(manifest.epoch)
    const live = this.#model.folded()
    const artifact = await writeEpoch(this.#deps, live.base, {
      epoch,
      parent: manifest.epoch,
      trainer: manifest.trainer,
      gate: { ...manifest.gate, through: new Date(this.#deps.now()).toISOString() },
    })
    await this.#switch(artifact, live, { ...this.#place, baseEpoch: epoch })
    this.#report({ type: 'epoch', epoch, items: live.items, why: 'folded' })
  }

  /** Puts an epoch that is on disk in place of the one edges follow: first in the state, then in memory. */
  async #switch(artifact: Artifact, model: LiveModel, place: Place): Promise<void> {
    const { folder } = this.#deps
    const { epoch } = artifact.manifest
    const release = new Release(await signEpoch(this.#deps, artifact), 0)
    await folder.save({ ...place, epoch, delta: 0, live: model.state() })
    const before = this.#release.number
    this.#release = release
    this.#model = model
    this.#place = place
    await keepEpochs(folder.path, new Set([place.baseEpoch, before, epoch]))
    for (const follower of this.#followers) follower.wake()
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(action)
    this.#turn = result.catch(() => undefined)
    return result
  }

  #report(status: BridgeStatus): void {
    this.#deps.onStatus(status)
  }
}
