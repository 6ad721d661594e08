import {
  formatSessionToken,
  HISTORY_KINDS,
  mergeSessionTokens,
  parseSessionToken,
  type HistoryItem,
  type ItemAttributes,
  type SessionToken,
} from '@attune/core'
import type { DeltaContent } from '@attune/core/artifact'
import { seededRandom } from '@attune/core/testing'
import { FeedPlaces, keyOf } from '../change-feed/places.ts'
import type { TrainedModel } from '../train/trained-model.ts'
import { Windows, type CountSink, type WindowsState } from '../windows.ts'
import { factorRows, neighbourRows, popularityRows, togetherRows } from './changed-rows.ts'
import { Counts, type CountsState } from './counts.ts'
import { DriftGuard, type GuardFinding, type GuardState } from './guard.ts'
import { NegativeSampler, placeRow, stepFactors, type RowExample } from './factors.ts'
import type { FeedName, MicroBatch, ModelChange } from './micro-batch.ts'
import { Newcomers } from './newcomers.ts'
import { TogetherCounts } from './together.ts'
import { wholeTables } from './whole-tables.ts'

/** New items follow their neighbours until they have this many steps; from then on they are trained. */
const PLACED_BELOW = 20
/** More than this in one micro-batch are counted but not trained on: keeps a flood within its 500 ms. */
const MAX_EXAMPLES = 256
const TRENDS_EXAMINED = 20_000
const TRENDS_RESENT = 500
const HOUR_MS = 3_600_000
const ITEMS_PREFIX = 'items:'

export interface LiveState {
  readonly seq: number
  readonly through: string | null
  /** Of the events; keys of the items' ranges begin with `items:`. */
  readonly continuations: readonly (readonly [range: string, continuation: string])[]
  /** What the catalogue said since the base. */
  readonly attributes?: readonly (readonly [item: string, attributes: ItemAttributes | null])[]
  readonly newItems: readonly string[]
  readonly windows: WindowsState
  readonly counts: CountsState
  /** Of baskets, see {@link TogetherCounts}; absent in states written before they were counted. */
  readonly together?: Float64Array
  /** Rows that differ from the base's, and their values `[rows, d]`. */
  readonly factorRows: Uint32Array
  readonly factors: Float32Array
  /** Absent in states written before there was a guard: it starts anew. */
  readonly guard?: GuardState
}

/**
 * The base model and everything clicked since: windows, counts, factors. A pure function of the micro-batches applied,
 * in their order, so a journal of them is a backup.
 */
export class LiveModel {
  readonly base: TrainedModel
  readonly counts: Counts
  readonly baskets: TogetherCounts
  readonly #windows: Windows
  readonly #ids: string[]
  readonly #rowOf: Map<string, number>
  #factors: Float32Array
  readonly #trained = new Set<number>()
  readonly #sampler: NegativeSampler
  readonly #guard: DriftGuard
  #through: SessionToken | undefined
  readonly #places: Readonly<Record<FeedName, FeedPlaces>>
  /** What the catalogue says, by item; null: deleted from it. */
  readonly #attributes: Map<string, ItemAttributes | null>
  readonly #catalogued = new Set<string>()
  #seq: number
  readonly #newcomers: Newcomers
  #dirtyFactors = new Set<number>()
  /** Rows there were before the micro-batch, as they were, when it changes them. */
  #oldFactors = new Map<number, Float32Array>()
  #dirtyPairs = new Set<number>()
  #dirtyBaskets = new Set<number>()
  #dirtySteps = new Set<number>()

  constructor(base: TrainedModel, state?: LiveState) {
    this.base = base
    this.counts = new Counts(base.tables, base.neighbours, state?.counts)
    this.baskets = new TogetherCounts(base.tables.together, state?.together)
    this.#windows = state === undefined ? new Windows() : Windows.from(state.windows)
    this.#ids = [...base.ids, ...(state?.newItems ?? [])]
    this.#rowOf = new Map(this.#ids.map((id, row) => [id, row]))
    this.#factors = base.factors.slice()
    this.#reserve(this.#ids.length)
    this.#sampler = new NegativeSampler(base.tables.popularity)
    this.#guard = new DriftGuard(base, state?.guard)
    this.#seq = state?.seq ?? 0
    this.#through = state?.through == null ? undefined : parseSessionToken(state.through)
    this.#places = { events: new FeedPlaces(), items: new FeedPlaces() }
    for (const [key, continuation] of state?.continuations ?? []) {
      this.#places[key.startsWith(ITEMS_PREFIX) ? 'items' : 'events'].advance(continuation)
    }
    this.#attributes = new Map(base.attributes)
    for (const [id, attributes] of state?.attributes ?? []) this.#catalogue(id, attributes)
    state?.factorRows.forEach((row, index) => {
      const values = state.factors.subarray(index * base.dim, (index + 1) * base.dim)
      this.#factors.set(values, row * base.dim)
      this.#trained.add(row)
    })
    this.#newcomers = new Newcomers(base, state?.counts.pairs)
  }

  get items(): number {
    return this.#ids.length
  }

  get ids(): readonly string[] {
    return this.#ids
  }

  /** Micro-batches applied. */
  get seq(): number {
    return this.#seq
  }

  get through(): string | null {
    return this.#through === undefined ? null : formatSessionToken(this.#through)
  }

  /** How far a feed has been read. */
  places(feed: FeedName): FeedPlaces {
    return this.#places[feed]
  }

  /** What the catalogue says, by item; null: deleted from it. */
  get attributes(): ReadonlyMap<string, ItemAttributes | null> {
    return this.#attributes
  }

  /** Pairs counted on top of the base: what memory grows with. */
  get pairs(): number {
    return this.counts.size + this.baskets.size
  }

  /** Visitors whose visits are open or just closed. */
  get openVisitors(): number {
    return this.#windows.size
  }

  /** Nats by which known next items are told worse than by the base; see `DriftGuard`. */
  get drift(): number {
    return this.#guard.total
  }

  rowOf(id: string): number | undefined {
    return this.#rowOf.get(id)
  }

  /** `[N, d]`, a view; changes with the next micro-batch. */
  get factors(): Float32Array {
    return this.#factors.subarray(0, this.items * this.base.dim)
  }

  /**
   * Takes a micro-batch in: windows, counts, factors, continuations.
   *
   * @returns what edges have to be told
   */
  apply(batch: MicroBatch): ModelChange {
    this.#dirtyFactors = new Set()
    this.#oldFactors = new Map()
    this.#dirtyPairs = new Set()
    this.#dirtyBaskets = new Set()
    this.#dirtySteps = new Set()
    const known = this.items
    const examples: RowExample[] = []
    const attributes = new Map<string, ItemAttributes | null>()
    const sink: CountSink = {
      step: (item, sign) => this.#step(item, sign),
      pair: (source, target, units, sign) => this.#pair(source, target, sign * units),
      together: (one, other, visits) => this.#together(one, other, visits),
      example: (history, target) => examples.push(this.#example(history, target)),
    }
    for (const page of batch.pages) {
      for (const stored of page.batches) this.#windows.apply(stored, sink)
      for (const { item, attributes: said } of page.items ?? []) {
        if (said !== null) this.#append(item)
        this.#catalogue(item, said)
        attributes.set(item, said)
      }
      if (page.continuation !== null) this.#places[page.feed ?? 'events'].advance(page.continuation)
      if (page.through !== null) {
        const read = parseSessionToken(page.through)
        this.#through = this.#through === undefined ? read : mergeSessionTokens(this.#through, read)
      }
    }
    this.#learn(examples.slice(-MAX_EXAMPLES), seededRandom(Math.imul(batch.seq, 0x9e37_79b1)), known)
    const guard = this.#judge(batch.seq, known)
    this.#seq = batch.seq
    for (const row of this.counts.staleTrends(this.items, TRENDS_EXAMINED, TRENDS_RESENT)) {
      this.#dirtySteps.add(row)
    }
    return { items: this.#ids.slice(known), content: this.#changed(), attributes, ...(guard && { guard }) }
  }

  state(): LiveState {
    const { dim } = this.base
    const factorRows = Uint32Array.from(this.#trained)
    const factors = new Float32Array(factorRows.length * dim)
    factorRows.forEach((row, index) =>
      factors.set(this.#factors.subarray(row * dim, (row + 1) * dim), index * dim),
    )
    return {
      ...this.#position(),
      newItems: this.#ids.slice(this.base.ids.length),
      counts: this.counts.state(),
      together: this.baskets.state(),
      factorRows,
      factors,
      guard: this.#guard.state(),
    }
  }

  /** The model as it is now, as if it had been trained: what a full epoch is built from. */
  snapshot(): TrainedModel {
    const { dim } = this.base
    const n = this.items
    const tables = wholeTables(this.base, this.counts, this.baskets, n)
    const ids = [...this.#ids]
    const attributes = new Map([...this.#attributes].filter(([id]) => this.#rowOf.has(id)))
    return {
      ...this.base,
      ids,
      ...(attributes.size > 0 && { attributes }),
      factors: this.#factors.slice(0, n * dim),
      tables,
    }
  }

  /**
   * The same with everything clicked until now in its base, and no count on top: of a pair, what tables hold of it is kept.
   * Open visits and places go on; drift is measured from the new base.
   */
  folded(): LiveModel {
    return new LiveModel(this.snapshot(), {
      ...this.#position(),
      newItems: [],
      counts: { trendClicks: 0, trendBase: 1, pairs: new Float64Array(), steps: new Float64Array() },
      factorRows: new Uint32Array(),
      factors: new Float32Array(),
    })
  }

  /** How far feeds were read, visits under way, and the catalogue. */
  #position(): Pick<LiveState, 'seq' | 'through' | 'continuations' | 'attributes' | 'windows'> {
    return {
      seq: this.#seq,
      through: this.through,
      continuations: (['events', 'items'] as const).flatMap((feed) =>
        this.#places[feed].continuations.map(([range, continuation]): [string, string] => [
          (feed === 'items' ? ITEMS_PREFIX : '') + keyOf(range),
          continuation,
        ]),
      ),
      attributes: [...this.#catalogued].map((id) => [id, this.#attributes.get(id) ?? null]),
      windows: this.#windows.state(),
    }
  }

  #catalogue(item: string, attributes: ItemAttributes | null): void {
    this.#attributes.set(item, attributes)
    this.#catalogued.add(item)
  }

  #row(item: string): number {
    const row = this.#append(item)
    // Nobody clicked it before: it has no place among the others yet.
    if (this.#newcomers.has(row) && !this.#trained.has(row)) {
      this.#dirtyFactors.add(row)
      this.#dirtyPairs.add(row)
      this.#dirtySteps.add(row)
    }
    return row
  }

  /** A row for an item; all zero, which edges need not be told, while only the catalogue knows it. */
  #append(item: string): number {
    const known = this.#rowOf.get(item)
    if (known !== undefined) return known
    const row = this.#ids.length
    this.#ids.push(item)
    this.#rowOf.set(item, row)
    this.#reserve(row + 1)
    return row
  }

  #reserve(items: number): void {
    const { dim } = this.base
    if (items * dim <= this.#factors.length) return
    const larger = new Float32Array((Math.ceil(items * 1.05) + 256) * dim)
    larger.set(this.#factors)
    this.#factors = larger
  }

  #step(item: string, sign: 1 | -1): void {
    const row = this.#row(item)
    this.counts.addStep(row, sign)
    this.#dirtySteps.add(row)
  }

  #pair(source: string, target: string, units: number): void {
    const from = this.#row(source)
    const to = this.#row(target)
    this.counts.addPair(from, to, units)
    this.#dirtyPairs.add(from)
    for (const row of this.#newcomers.note(from, to, units)) this.#dirtyFactors.add(row)
  }

  #together(one: string, other: string, visits: number): void {
    const rows = [this.#row(one), this.#row(other)] as const
    this.baskets.add(...rows, visits)
    for (const row of rows) this.#dirtyBaskets.add(row)
  }

  #example(history: readonly HistoryItem[], target: HistoryItem): RowExample {
    const newest = history.at(-1)?.at ?? 0
    return {
      rows: history.map((step) => this.#row(step.item)),
      kinds: history.map((step) => HISTORY_KINDS.indexOf(step.kind)),
      ages: history.map((step) => (newest - step.at) / HOUR_MS),
      target: this.#row(target.item),
    }
  }

  /** New rows go where their neighbours are, in order of arrival; then one pass over the examples of settled rows. */
  #learn(examples: readonly RowExample[], random: () => number, known: number): void {
    const { dim, temperature, weights } = this.base
    const changing = (row: number) => {
      if (row < known && !this.#oldFactors.has(row)) {
        this.#oldFactors.set(row, this.#factors.slice(row * dim, (row + 1) * dim))
      }
      this.#dirtyFactors.add(row)
      this.#trained.add(row)
    }
    for (const row of this.#dirtyFactors) {
      changing(row)
      if (this.#placed(row)) {
        placeRow(this.#factors, dim, row, this.#newcomers.around(row), this.counts.steps(row))
      }
    }
    const settled = examples.filter(({ target }) => !this.#placed(target))
    const options = {
      encoder: weights.encoder,
      temperature,
      sampler: this.#sampler,
      random,
      clicks: (row: number) => this.counts.popularity(row),
    }
    stepFactors(this.#factors, settled, options, changing)
  }

  /** Held rows go back to where they were, and new ones to a direction of their own: counts alone go out. */
  #judge(seq: number, known: number): GuardFinding | undefined {
    if (this.#dirtyFactors.size === 0) return undefined
    const fresh = [...this.#dirtyFactors].filter((row) => row >= known)
    const finding = this.#guard.judge(this.#factors, this.#oldFactors, fresh, seq)
    if (!finding.held) return finding
    const { dim } = this.base
    for (const [row, values] of this.#oldFactors) this.#factors.set(values, row * dim)
    for (const row of fresh) placeRow(this.#factors, dim, row, new Map(), 0)
    this.#dirtyFactors = new Set(fresh)
    return finding
  }

  #placed(row: number): boolean {
    return this.#newcomers.has(row) && this.counts.steps(row) < PLACED_BELOW
  }

  #changed(): DeltaContent {
    const { base, counts } = this
    return {
      ...(this.#dirtyFactors.size > 0 && {
        factors: factorRows(this.#dirtyFactors, this.#factors, base.dim),
      }),
      ...(this.#dirtyPairs.size > 0 && {
        neighbours: neighbourRows(this.#dirtyPairs, counts, base.neighbours),
      }),
      ...(this.#dirtySteps.size > 0 && { popularity: popularityRows(this.#dirtySteps, counts) }),
      ...(this.#dirtyBaskets.size > 0 && { together: togetherRows(this.#dirtyBaskets, this.baskets) }),
    }
  }
}
