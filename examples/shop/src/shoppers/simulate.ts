import { HISTORY_KINDS, type HistoryKind, type Random } from '@attune/core'
import { seededRandom } from '@attune/core/testing'
import type { TrainingData } from '@attune/trainer-bridge'
import type { Good } from '../catalogue/good.ts'
import { kinOf, themeWeights, type Kin } from './kin.ts'

/** What a made-up shopper likes. */
interface Taste {
  readonly themes: readonly string[]
  /** Colourway taken where there is a choice. */
  readonly colour: string
}

export interface SimulationOptions {
  readonly goods: readonly Good[]
  /** Each comes once or twice. */
  readonly shoppers: number
  readonly seed: number
}

const DAY_MS = 86_400_000
/** The simulated month ends here; only distances matter. */
const END_MS = Date.UTC(2026, 0, 31)
const DAYS = 30
/** What is in season in the last week, so that "Trending" has something to say. */
const IN_SEASON = new Set(['winter', 'christmas', 'japanese'])
const SEASON_DAYS = 7
const MEAN_STEPS = 7
const MAX_STEPS = 16

/**
 * Visits of shoppers with two or three tastes and a favourite colour, who wander from one thing to a kindred one. Made
 * up from a seed: the same seed gives the same visits, and they stand for nobody.
 *
 * O(shoppers · steps · 64) time after an O(goods²) start.
 */
export function simulateShoppers({ goods, shoppers, seed }: SimulationOptions): TrainingData {
  const random = seededRandom(seed)
  const world = makeWorld(goods, random)
  const visits: { start: number; steps: Step[] }[] = []
  for (let shopper = 0; shopper < shoppers; shopper++) {
    const taste = drawTaste(world, random)
    const times = random() < 0.35 ? 2 : 1
    for (let visit = 0; visit < times; visit++) {
      const day = Math.floor(random() * DAYS)
      const start = END_MS - (DAYS - day) * DAY_MS + random() * DAY_MS
      visits.push({ start, steps: wander(world, taste, day >= DAYS - SEASON_DAYS, start, random) })
    }
  }
  visits.sort((a, b) => a.start - b.start)

  const clicks = visits.reduce((sum, { steps }) => sum + steps.length, 0)
  const data = {
    ids: goods.map(({ id }) => id),
    offsets: new Uint32Array(visits.length + 1),
    rows: new Uint32Array(clicks),
    kinds: new Uint8Array(clicks),
    times: new Float64Array(clicks),
  }
  let at = 0
  visits.forEach(({ steps }, visit) => {
    for (const { row, kind, time } of steps) {
      data.rows[at] = row
      data.kinds[at] = HISTORY_KINDS.indexOf(kind)
      data.times[at] = time
      at++
    }
    data.offsets[visit + 1] = at
  })
  return data
}

interface Step {
  readonly row: number
  readonly kind: HistoryKind
  readonly time: number
}

interface World {
  readonly goods: readonly Good[]
  readonly kin: readonly Kin[]
  /** How much everybody looks at a good, whatever their taste. */
  readonly charm: Float32Array
  readonly byTheme: ReadonlyMap<string, readonly number[]>
  readonly themes: readonly string[]
  readonly themeWeights: readonly number[]
  readonly colours: readonly string[]
}

const MIN_GOODS_OF_A_TASTE = 6

function makeWorld(goods: readonly Good[], random: Random): World {
  const byTheme = new Map<string, number[]>()
  goods.forEach(({ themes }, row) => {
    for (const theme of themes) byTheme.set(theme, [...(byTheme.get(theme) ?? []), row])
  })
  const themes = [...themeWeights(goods).keys()].filter(
    (theme) => (byTheme.get(theme)?.length ?? 0) >= MIN_GOODS_OF_A_TASTE,
  )
  const colours = [
    ...new Set(
      goods.flatMap(({ picture, variant }) =>
        picture.kind === 'icon' && picture.tone !== undefined ? [variant] : [],
      ),
    ),
  ]
  return {
    goods,
    kin: kinOf(goods),
    // Log-normal, as clicks in shops are: a few darlings, a long tail; colours and packs a little behind.
    charm: Float32Array.from(
      goods,
      ({ variant }) =>
        Math.exp(0.8 * normal(random)) * (variant === 'pack' || colours.includes(variant) ? 0.6 : 1),
    ),
    byTheme,
    themes,
    themeWeights: themes.map((theme) => Math.sqrt(byTheme.get(theme)?.length ?? 0)),
    colours,
  }
}

function drawTaste({ themes, themeWeights: weights, colours }: World, random: Random): Taste {
  const chosen = new Set<string>()
  const count = random() < 0.5 ? 2 : 3
  while (chosen.size < count) chosen.add(themes[draw(weights, random)] ?? '')
  return { themes: [...chosen], colour: colours[Math.floor(random() * colours.length)] ?? '' }
}

/** One visit: begins with something of a taste, goes on to kindred things, now and then turns to another taste. */
function wander(world: World, taste: Taste, inSeason: boolean, start: number, random: Random): Step[] {
  const { goods, kin, charm } = world
  const length = Math.min(MAX_STEPS, 2 + Math.floor(-Math.log(1 - random()) * (MEAN_STEPS - 2)))
  const seen = new Set<number>()
  const steps: Step[] = []
  const appeal = (row: number): number => {
    const good = goods[row]
    if (good === undefined || seen.has(row)) return 0
    const liked = good.themes.reduce((sum, theme) => sum + (taste.themes.includes(theme) ? 1 : 0), 0)
    const season = inSeason && good.themes.some((theme) => IN_SEASON.has(theme)) ? 2 : 1
    return (charm[row] ?? 0) * (0.35 + liked) * season * (good.variant === taste.colour ? 3 : 1)
  }
  const ofTaste = (): number => {
    const theme = taste.themes[Math.floor(random() * taste.themes.length)] ?? ''
    const rows = world.byTheme.get(theme) ?? []
    return rows[draw(rows.map(appeal), random)] ?? 0
  }
  let row = ofTaste()
  let time = start
  while (steps.length < length) {
    seen.add(row)
    const dice = random()
    const kind: HistoryKind =
      dice < 0.08 ? 'add-to-cart' : dice < 0.11 ? 'like' : dice < 0.13 ? 'purchase' : 'click'
    steps.push({ row, kind, time })
    time += 8_000 + 60_000 * random()
    const { rows = new Uint16Array(), weights = new Float32Array() } = kin[row] ?? {}
    row =
      random() < 0.82
        ? (rows[
            draw(
              Array.from(rows, (other, place) => (weights[place] ?? 0) * appeal(other)),
              random,
            )
          ] ?? ofTaste())
        : ofTaste()
    if (seen.has(row)) break
  }
  return steps
}

/** Index drawn in proportion to its weight; the last one when all weights are 0. */
function draw(weights: readonly number[], random: Random): number {
  let left = random() * weights.reduce((sum, weight) => sum + weight, 0)
  for (let index = 0; index < weights.length; index++) {
    left -= weights[index] ?? 0
    if (left < 0) return index
  }
  return weights.length - 1
}

/** Standard normal, by Box and Muller. */
function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}
