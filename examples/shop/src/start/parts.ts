import type { SigningKey } from '@attune/trainer-bridge'

/** The processes of the shop, in the order they start; they end in the opposite order. */
export const PARTS = ['cosmos', 'edge', 'bridge', 'shop'] as const
export type PartName = (typeof PARTS)[number]

/** What a person calls them. */
export const PART_TITLES: Readonly<Record<PartName, string>> = {
  cosmos: 'Cosmos DB (local)',
  edge: 'edge (workerd)',
  bridge: 'trainer-bridge',
  shop: 'shop',
}

export interface Ports {
  readonly shop: number
  readonly edge: number
  readonly cosmos: number
  readonly explorer: number
}

export function portsFrom(base: number): Ports {
  return { shop: base, edge: base + 1, cosmos: base + 2, explorer: base + 3 }
}

export interface Keys {
  /** Public key of the site; in every page. */
  readonly site: string
  readonly push: string
  /** Opens the edge's live page. */
  readonly admin: string
  readonly visitorSecret: string
  /** Master key of the local Cosmos, base64. */
  readonly cosmos: string
  readonly signing: SigningKey
}

/** Everything a part needs to know. */
export interface PartConfig {
  readonly folder: string
  readonly ports: Ports
  readonly keys: Keys
  readonly shoppers: number
  readonly iterations: number
  /** `attune.js` */
  readonly clientFile: string
}

/** What the first model learnt from, for the pages. */
export interface TrainingFacts {
  readonly shoppers: number
  readonly visits: number
  readonly clicks: number
  readonly goods: number
  readonly seconds: number
  /** HR@20 on visits held out; null when it was not measured. */
  readonly hr20: number | null
}

export type ToPart =
  { readonly type: 'start'; readonly part: PartName; readonly config: PartConfig } | { readonly type: 'stop' }

export type FromPart =
  | { readonly type: 'ready' }
  | {
      readonly type: 'progress'
      readonly text: string
      readonly share: number | null
      readonly secondsLeft: number | null
    }
  | { readonly type: 'note'; readonly text: string }
  | { readonly type: 'failed'; readonly message: string }

/** How a part ends: everything it started, in order. */
export type ClosePart = () => Promise<void>

/**
 * Starts a part in this process.
 *
 * @param fail - the part can no longer do its work; the process should end
 */
export type RunPart = (
  config: PartConfig,
  tell: (message: FromPart) => void,
  fail: (message: string) => void,
) => Promise<ClosePart>
