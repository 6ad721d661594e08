import type { ModelsResponse, ServingState } from '@attune/core'
import { ArtifactError, parseGolden, readModel, type DeltaHeader, type Manifest } from '@attune/core/artifact'
import { CandidateSet, checkGolden, coreEngine, ServingModel, type Scanner } from '@attune/core/rank'
import { EdgeError } from '../error.ts'
import type { Log } from '../log.ts'
import { Epoch, type Current } from '../serve/current.ts'
import { createOrtEngine, type LoadOrt, type OrtEngine } from '../serve/ort.ts'
import type { Trial } from '../serve/trial.ts'
import { checkGraphs, checkGraphSizes } from './graphs.ts'
import { pruneStore } from './prune.ts'
import { describeError, orMalformed, withoutOrt } from './refusals.ts'
import { checkSpeed } from './speed.ts'
import type { ModelStore, Pointer } from './store.ts'
import { checkDigest, fileOf, readFiles, type ArtifactFiles, type Verifier } from './verify.ts'

export interface ModelsDeps {
  readonly store: ModelStore
  readonly current: Current
  readonly verifier: Verifier
  /** undefined: a build without ONNX Runtime, which ranks with core's TypeScript and takes standard models only. */
  readonly loadOrt: LoadOrt | undefined
  /** undefined: graphs are run for the first time where lists are made. */
  readonly trial: Trial | undefined
  readonly makeScanner: (dim: number, capacity: number) => Scanner
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly log: Log
  /** Milliseconds of a clock that only goes forward. */
  readonly elapsed: () => number
  /** A model whose lists take longer is refused; milliseconds. */
  readonly maxRankMs: number
}

const MAX_GATE_LENGTH = 8_000

/** Keeps work going after the response; `waitUntil` of the host. */
export type Background = (work: Promise<unknown>) => void

/** Isolates look at the shared pointer at most this often. */
export const REFRESH_MS = 1_000
const WAIT_POLL_MS = 10
/** Someone who has been loading for so long was probably abandoned; the next request loads itself. */
const LOAD_PATIENCE_MS = 15_000

const MODEL_FILES = ['factors', 'tables', 'items', 'weights'] as const
const GRAPH_FILES = ['encoder', 'ranker'] as const

/** What the epochs of this edge go through: door, store, memory. */
export class Models {
  readonly #deps: ModelsDeps
  #lookedAt = -Infinity
  #loadingSince: number | undefined
  #warming: { readonly epoch: Epoch; readonly since: number } | undefined
  #changedAt: number

  constructor(deps: ModelsDeps) {
    this.#deps = deps
    this.#changedAt = deps.now()
  }

  /** When an epoch or delta last came to serve here; before the first, when this process started. Milliseconds since 1970. */
  get changedAt(): number {
    return this.#changedAt
  }

  get serving(): ServingState | null {
    return this.#deps.current.state
  }

  async list(): Promise<ModelsResponse> {
    await this.#ready()
    const epochs = await this.#deps.store.epochs()
    const gate = this.#deps.current.epoch?.model.manifest.gate
    const small = gate !== undefined && JSON.stringify(gate).length <= MAX_GATE_LENGTH
    return { serving: this.serving, epochs, ...(small && { gate }) }
  }

  /** Manifests of the newest epochs in the store, newest first. @throws {ArtifactError} when one is not signed by a trusted key */
  async manifests(most: number): Promise<Manifest[]> {
    const { store, verifier } = this.#deps
    const epochs = (await store.epochs()).toSorted((a, b) => b - a).slice(0, most)
    const signed = await Promise.all(epochs.map((epoch) => store.getManifest(epoch)))
    return Promise.all(signed.flatMap((jws) => (jws === undefined ? [] : [verifier.manifest(jws)])))
  }

  /**
   * Keeps one file of an artifact.
   *
   * @returns false when it was there
   * @throws {ArtifactError} `ARTIFACT_DIGEST_MISMATCH`
   */
  async putFile(sha256: string, bytes: Uint8Array): Promise<boolean> {
    await checkDigest('file', bytes, { sha256, bytes: bytes.length })
    if (await this.#deps.store.hasFile(sha256)) return false
    await this.#deps.store.putFile(sha256, bytes)
    return true
  }

  /**
   * Takes a signed epoch in: verifies all of it, runs the golden vectors through the real engine, makes it durable and
   * swaps. Whatever fails, what was served goes on being served.
   *
   * @throws {ArtifactError} every code but those of deltas
   */
  async putEpoch(epoch: number, jws: string): Promise<ServingState> {
    const { store, current, verifier, now } = this.#deps
    const manifest = await verifier.manifest(jws)
    if (manifest.epoch !== epoch) {
      throw new ArtifactError(
        'ARTIFACT_EPOCH_STALE',
        `epoch: expected ${epoch} as in the path, the manifest says ${manifest.epoch}`,
      )
    }
    await this.#ready()
    this.#checkNewer(manifest, await store.pointer())
    checkGraphSizes(manifest)
    const files = await readFiles(store, manifest, [...MODEL_FILES, ...GRAPH_FILES, 'golden'])
    const model = this.#buildModel(manifest, files)
    checkGraphs(manifest, files)
    if (this.#deps.loadOrt !== undefined)
      await this.#deps.trial?.({
        manifest,
        encoder: fileOf(files, 'encoder'),
        ranker: fileOf(files, 'ranker'),
      })
    const ort = await this.#ort(manifest, files)
    const activated = new Date(now()).toISOString()
    try {
      const engine = ort ?? (model.weights && coreEngine(model.weights))
      if (engine === undefined) throw withoutOrt(epoch)
      const golden = parseGolden(fileOf(files, 'golden'))
      await orMalformed(() => checkGolden(model, golden, engine, new CandidateSet()))
      await checkSpeed(this.#deps, model, golden, engine)
      await store.putManifest(epoch, jws.trim())
      if (!(await store.activate(epoch, activated))) this.#checkNewer(manifest, await store.pointer())
    } catch (error) {
      await ort?.release()
      throw error
    }
    const next = new Epoch(model, activated, ort)
    // Another request may have swapped a newer one in meanwhile.
    if ((current.epoch?.model.epoch ?? 0) < epoch) this.#swap(next)
    else next.retire()
    return this.serving ?? stateOf(manifest, next)
  }

  /**
   * Points this deployment at an epoch that it took in before, older or newer than the one serving, with the deltas that
   * are still kept of it. Others follow as they look. What is pushed afterwards must be newer than every epoch before, so
   * that the one an operator left does not come back by itself.
   *
   * @throws {EdgeError} `EPOCH_UNKNOWN`; {ArtifactError} when its files are no longer whole
   */
  async activate(epoch: number): Promise<ServingState> {
    const { store, verifier, now, log } = this.#deps
    const jws = await store.getManifest(epoch)
    if (jws === undefined) throw new EdgeError('EPOCH_UNKNOWN', `epoch ${epoch}: never taken in by this edge`)
    const manifest = await verifier.manifest(jws)
    // Before the pointer moves: an epoch that cannot be loaded would leave fresh isolates without any.
    this.#buildModel(manifest, await readFiles(store, manifest, [...MODEL_FILES, ...GRAPH_FILES]))
    const pointer = await store.pointer()
    if (pointer?.epoch !== epoch) {
      await store.point(epoch, new Date(now()).toISOString())
      log('warn', 'an operator activated an epoch', { epoch, instead: pointer?.epoch ?? null })
    }
    await this.#look()
    return this.#state()
  }

  /**
   * Goes back to the epoch before the one serving.
   *
   * @throws {EdgeError} `EPOCH_UNKNOWN` when there is none
   */
  async rollback(): Promise<ServingState> {
    const { store } = this.#deps
    const active = (await store.pointer())?.epoch ?? 0
    const earlier = (await store.epochs()).filter((epoch) => epoch < active).at(-1)
    if (earlier === undefined)
      throw new EdgeError(
        'EPOCH_UNKNOWN',
        `epoch: expected one before ${active} to go back to, there is none`,
      )
    return this.activate(earlier)
  }

  /**
   * Takes the next delta in: verified, made durable in the log, applied. One that was applied before changes nothing.
   *
   * @throws {ArtifactError} `DELTA_GAP`, `DELTA_EPOCH_MISMATCH`, `ARTIFACT_SIGNATURE_INVALID`, `ARTIFACT_DIGEST_MISMATCH`,
   * `ARTIFACT_MALFORMED`, `ARTIFACT_SHAPE_MISMATCH`
   */
  async putDelta(epoch: number, delta: number, body: Uint8Array): Promise<ServingState> {
    const { store, current, verifier } = this.#deps
    const { header, tensors } = await verifier.delta(body)
    if (header.epoch !== epoch || header.delta !== delta) {
      throw new ArtifactError(
        'DELTA_GAP',
        `delta: expected ${epoch}/${delta} as in the path, the header says ${header.epoch}/${header.delta}`,
      )
    }
    await this.#ready()
    if (current.epoch?.model.epoch !== epoch || current.epoch.model.delta < delta - 1) await this.#look()
    const model = current.epoch?.model
    if (model?.epoch !== epoch) {
      throw new ArtifactError(
        'DELTA_EPOCH_MISMATCH',
        `delta: expected epoch ${model?.epoch ?? 'none'}, received ${epoch}`,
      )
    }
    if (delta <= model.delta) return this.#state()
    if (delta > model.delta + 1) {
      throw new ArtifactError('DELTA_GAP', `delta: expected ${model.delta + 1}, received ${delta}`)
    }
    // Everything `apply` checks is checked before the log takes it: a log with a bad delta would stop every isolate.
    model.check(header, tensors)
    const result = await store.appendDelta(epoch, delta, body)
    if (result === 'stored' && model.delta === delta - 1) this.#apply(model, header, tensors)
    else await this.#look()
    if (result === 'gap') throw new ArtifactError('DELTA_GAP', `delta: ${delta} does not follow the log`)
    if (result === 'other-epoch')
      throw new ArtifactError('DELTA_EPOCH_MISMATCH', `delta: epoch ${epoch} is no longer active`)
    return this.#state()
  }

  /**
   * The epoch to rank with. Loads it in a fresh process, once; without one answers at once.
   *
   * @param background - gets the loading, so that a visitor who leaves does not stop it
   */
  async epoch(background: Background): Promise<Epoch | undefined> {
    const { current } = this.#deps
    if (current.epoch?.engine === undefined) await this.#ready(background)
    return current.epoch
  }

  /** Follows the shared pointer, at most once a second, and warms ORT. For after a response. Never throws. */
  async refresh(): Promise<void> {
    const { current, now } = this.#deps
    try {
      if (now() - this.#lookedAt >= REFRESH_MS) await this.#look()
      else if (current.epoch !== undefined) await this.#warm(current.epoch)
    } catch (error) {
      this.#deps.log('error', 'models could not be refreshed', { error: describeError(error) })
    }
  }

  /** Takes old epochs out of the store. For after a response. Never throws. */
  prune(): Promise<void> {
    return pruneStore(this.#deps)
  }

  /** Waits by looking at values, never at another request's promise: an abandoned request's promise may not settle. */
  async #ready(background?: Background): Promise<void> {
    const { current, now } = this.#deps
    const usable = () => current.epoch?.engine !== undefined
    while (!usable()) {
      if (this.#loadingSince === undefined || now() - this.#loadingSince > LOAD_PATIENCE_MS) {
        if (now() - this.#lookedAt < REFRESH_MS && current.epoch === undefined) return
        const following = this.#follow()
        background?.(following.catch(() => undefined))
        return await following
      }
      await new Promise((resolve) => setTimeout(resolve, WAIT_POLL_MS))
    }
  }

  async #look(): Promise<void> {
    await this.#follow()
    const { epoch } = this.#deps.current
    if (epoch !== undefined) await this.#warm(epoch)
  }

  /** What the shared pointer says comes to serve; ORT only where there is no other engine. */
  async #follow(): Promise<void> {
    const { store, current, now } = this.#deps
    const started = now()
    this.#lookedAt = started
    this.#loadingSince = started
    try {
      const pointer = await store.pointer()
      if (pointer === undefined) return
      if (current.epoch?.model.epoch !== pointer.epoch) await this.#load(pointer)
      if (current.epoch !== undefined) await this.#catchUp(current.epoch.model, pointer)
    } finally {
      this.#loadingSince = undefined
    }
  }

  async #load(pointer: Pointer): Promise<void> {
    const { store, current, verifier } = this.#deps
    const jws = await store.getManifest(pointer.epoch)
    if (jws === undefined)
      throw new ArtifactError('ARTIFACT_FILE_MISSING', `epoch ${pointer.epoch}: no manifest in the store`)
    const manifest = await verifier.manifest(jws)
    // Digests again: what a store hands back is trusted no more than what a push brings. The golden vectors were met
    // by these same bytes when the epoch was pushed.
    const model = this.#buildModel(manifest, await readFiles(store, manifest, MODEL_FILES))
    await this.#catchUp(model, pointer)
    const next = new Epoch(model, pointer.activated)
    if (current.epoch?.model.epoch === pointer.epoch) return
    if (next.engine === undefined) await this.#warm(next)
    if (next.engine === undefined) throw withoutOrt(pointer.epoch)
    this.#swap(next)
  }

  async #catchUp(model: ServingModel, pointer: Pointer): Promise<void> {
    const { store, verifier } = this.#deps
    while (model.epoch === pointer.epoch && model.delta < pointer.delta) {
      const bodies = await store.deltasAfter(model.epoch, model.delta)
      if (bodies.length === 0) return
      for (const body of bodies) {
        const { header, tensors } = await verifier.delta(body)
        this.#apply(model, header, tensors)
      }
    }
  }

  #apply(model: ServingModel, header: DeltaHeader, tensors: Uint8Array): void {
    if (model.apply(header, tensors)) this.#changedAt = this.#deps.now()
  }

  #swap(epoch: Epoch): void {
    this.#deps.current.swap(epoch)
    this.#changedAt = this.#deps.now()
  }

  async #warm(epoch: Epoch): Promise<void> {
    const { store, loadOrt, now } = this.#deps
    if (loadOrt === undefined || epoch.warmed) return
    if (this.#warming?.epoch === epoch && now() - this.#warming.since <= LOAD_PATIENCE_MS) return
    this.#warming = { epoch, since: now() }
    try {
      const { manifest } = epoch.model
      const ort = await this.#ort(manifest, await readFiles(store, manifest, GRAPH_FILES))
      if (ort !== undefined) epoch.warm(ort)
    } finally {
      this.#warming = undefined
    }
  }

  async #ort(manifest: Manifest, files: ArtifactFiles): Promise<OrtEngine | undefined> {
    const ort = await this.#deps.loadOrt?.()
    return ort && createOrtEngine(ort, manifest, fileOf(files, 'encoder'), fileOf(files, 'ranker'))
  }

  #buildModel(manifest: Manifest, files: ArtifactFiles): ServingModel {
    const data = readModel(manifest, {
      factors: fileOf(files, 'factors'),
      tables: fileOf(files, 'tables'),
      items: fileOf(files, 'items'),
      ...(files.weights !== undefined && { weights: files.weights }),
    })
    return new ServingModel(manifest, data, this.#deps.makeScanner)
  }

  #checkNewer(manifest: Manifest, pointer: Pointer | undefined): void {
    const newest = Math.max(pointer?.newest ?? 0, this.serving?.epoch ?? 0)
    if (manifest.epoch > newest) return
    const left =
      pointer !== undefined && pointer.epoch < newest ? `; ${newest} was left for ${pointer.epoch}` : ''
    throw new ArtifactError(
      'ARTIFACT_EPOCH_STALE',
      `epoch: expected more than ${newest}, received ${manifest.epoch}${left}`,
    )
  }

  #state(): ServingState {
    const state = this.serving
    if (state === null) throw new ArtifactError('DELTA_EPOCH_MISMATCH', 'delta: nothing is being served')
    return state
  }
}

function stateOf(manifest: Manifest, next: Epoch): ServingState {
  const { epoch, created, items } = manifest
  return {
    epoch,
    delta: 0,
    through: null,
    created,
    swappedAt: next.swappedAt,
    items,
    engine: next.engineName,
  }
}
