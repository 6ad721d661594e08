import { describe } from '@attune/core'
import { parseRules, RulesError, type SlotRules } from '@attune/core/rules'
import type { Log } from '../log.ts'
import { compileSlot, NO_RULES, type Slot } from './compile.ts'
import type { Settings, StoredSlots } from './settings.ts'

export interface SlotsDeps {
  readonly settings: Settings
  /** Rules of every site that nobody has stored others for. */
  readonly configured: Readonly<Record<string, SlotRules>>
  /** Somebody may store rules: only then are they looked for. */
  readonly followed: boolean
  /** Milliseconds since 1970. */
  readonly now: () => number
  readonly log: Log
}

/** Stored rules are looked at this often at most, behind an answer. */
export const SLOTS_REFRESH_MS = 3_000
export const MAX_SLOTS = 200
const MAX_TRIES = 5

interface SiteSlots {
  readonly stored: StoredSlots
  readonly compiled: ReadonlyMap<string, Slot>
  lookedAt: number
}

const NOTHING_STORED: StoredSlots = { slots: {}, etag: undefined }

/** Rules of slots by site: in memory for lists, in Cosmos for keeps. */
export class Slots {
  readonly #deps: SlotsDeps
  readonly #sites = new Map<string, SiteSlots>()
  readonly #configured: ReadonlyMap<string, Slot>

  constructor(deps: SlotsDeps) {
    this.#deps = deps
    this.#configured = new Map(
      Object.entries(deps.configured).map(([name, rules]) => [name, compileSlot(rules)]),
    )
  }

  /** What lists of the slot go by now. Never waits. */
  of(site: string, slot: string): Slot {
    return this.#sites.get(site)?.compiled.get(slot) ?? this.#configured.get(slot) ?? NO_RULES
  }

  /** Looks at what is stored, unless that was done lately. For after a response. Never throws. */
  async refresh(site: string): Promise<void> {
    const { followed, now, settings, log } = this.#deps
    const known = this.#sites.get(site)
    if (!followed || now() - (known?.lookedAt ?? -Infinity) < SLOTS_REFRESH_MS) return
    // Set at once: requests that end meanwhile do not look too.
    if (known === undefined) this.#learn(site, NOTHING_STORED)
    else known.lookedAt = now()
    try {
      const stored = await settings.read(site, known?.stored.etag)
      if (stored !== undefined) this.#learn(site, stored)
    } catch (error) {
      log('warn', 'rules of slots could not be read', {
        error: error instanceof Error ? error.message : describe(error),
      })
    }
  }

  /** Rules stored for a slot, as they are in Cosmos now; undefined: none. @throws {CosmosError} */
  async read(site: string, slot: string): Promise<SlotRules | undefined> {
    const stored = (await this.#deps.settings.read(site)) ?? NOTHING_STORED
    this.#learn(site, stored)
    return Object.hasOwn(stored.slots, slot) ? stored.slots[slot] : undefined
  }

  /**
   * Stores rules, or with undefined forgets them. Two operators at once both get their way: whoever is second starts
   * from what the first has stored.
   *
   * @returns whether there had been any
   * @throws {CosmosError}; {RulesError} `RULES_INVALID` when there are too many slots
   */
  async write(site: string, slot: string, rules: SlotRules | undefined): Promise<boolean> {
    const { settings, now } = this.#deps
    for (let attempt = 1; ; attempt++) {
      const stored = (await settings.read(site)) ?? NOTHING_STORED
      const others = Object.entries(stored.slots).filter(([name]) => name !== slot)
      const existed = Object.hasOwn(stored.slots, slot)
      if (rules === undefined && !existed) return false
      if (rules !== undefined && others.length >= MAX_SLOTS)
        throw new RulesError('RULES_INVALID', `slots: expected at most ${MAX_SLOTS} with rules`)
      const slots = Object.fromEntries(rules === undefined ? others : [...others, [slot, rules]])
      const written = await settings.write(site, { slots, etag: stored.etag }, now())
      if (written !== undefined) {
        this.#learn(site, written)
        return existed
      }
      if (attempt === MAX_TRIES)
        throw new RulesError('RULES_INVALID', 'slots: changed by others all the time')
    }
  }

  #learn(site: string, stored: StoredSlots): void {
    const compiled = new Map<string, Slot>()
    for (const [name, rules] of Object.entries(stored.slots)) {
      try {
        // Parsed again: another version of this code may have written them.
        compiled.set(name, compileSlot(parseRules(rules, `slots.${name}`)))
      } catch (error) {
        if (!(error instanceof RulesError)) throw error
        this.#deps.log('error', 'stored rules cannot be used', { error: error.message })
      }
    }
    this.#sites.set(site, { stored, compiled, lookedAt: this.#deps.now() })
  }
}
