import { hueDistance, mainColour } from '../pictures/colour.ts'
import { iconBody } from '../pictures/icon.ts'
import type { Good } from './good.ts'
import { kitchen, home } from './goods/home.ts'
import { paper, sound, workshop } from './goods/making.ts'
import { garden, market } from './goods/market.ts'
import { sport, travel } from './goods/outdoors.ts'
import { bakery, deli, drinks } from './goods/pantry.ts'
import { models, plush, toys } from './goods/play.ts'
import type { More, Row } from './goods/row.ts'
import { accessories, clothes, shoes } from './goods/wear.ts'
import { STUDIO } from './studio.ts'

const TABLES: Readonly<Record<string, readonly Row[]>> = {
  bakery, deli, drinks, market, garden, toys, models, clothes, shoes, accessories, kitchen, home, workshop, paper, sound, sport, travel,
}

const COLOURS: Readonly<Record<NonNullable<More['colours']>, readonly (readonly [name: string, hue: number])[]>> = {
  cloth: [['rust', 14], ['mustard', 42], ['moss', 96], ['teal', 176], ['navy', 222], ['plum', 292], ['rose', 340]],
  lacquer: [['tomato', 6], ['amber', 38], ['leaf', 120], ['lagoon', 186], ['cobalt', 220], ['violet', 266], ['fuchsia', 320]],
}
/** Colourways beside the natural one. */
const COLOURWAYS = 2
/** Nearer hues would look like the same thing photographed twice. */
const MIN_HUE_DISTANCE = 48

const cents = (euro: number): number => Math.round(euro * 100)

/** "Mug with a fox" → `mug-with-a-fox`; ids are stable as long as names are. */
function slug(name: string): string {
  return name
    .normalize('NFKD')
    .replace(/[\u0300-\u036f’']/g, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
}

function good(fields: Omit<Good, 'id' | 'themes'> & { readonly themes: string }): Good {
  return { ...fields, id: slug(fields.name), themes: fields.themes.split(' ') }
}

function* fromRow(department: string, [icon, name, price, themes, blurb, more = {}]: Row): Iterable<Good> {
  const family = slug(name)
  const shared = { department, themes, blurb, family }
  yield good({ ...shared, name, price: cents(price), picture: { kind: 'icon', icon }, variant: more.colours === undefined ? 'single' : 'classic' })
  if (more.pack !== undefined) {
    const [packName, packPrice] = more.pack
    yield good({ ...shared, name: packName, price: cents(packPrice), picture: { kind: 'pack', icon }, variant: 'pack' })
  }
  if (more.colours === undefined) return
  const main = mainColour(iconBody(icon))
  const apart = COLOURS[more.colours].filter(([, hue]) => main.s <= 0.15 || hueDistance(hue, main.h) >= MIN_HUE_DISTANCE)
  // Starting at a different colour each time keeps one shelf from being all rust and mustard.
  const start = name.length % apart.length
  for (let i = 0; i < COLOURWAYS; i++) {
    const [colour, hue] = apart[(start + i * Math.floor(apart.length / COLOURWAYS)) % apart.length] ?? ['rose', 340]
    yield good({ ...shared, name: `${name}, ${colour}`, price: cents(price), picture: { kind: 'icon', icon, hue }, variant: colour })
  }
}

function* fromPlush([icon, animal, themes, blurb]: (typeof plush)[number]): Iterable<Good> {
  const shared = { department: 'plush', themes: `${themes} kids`, blurb, family: slug(animal) }
  const rank = animal.length % 5
  yield good({ ...shared, name: `${animal}, soft toy`, price: cents(19 + 2 * rank), picture: { kind: 'icon', icon }, variant: '28 cm' })
}

function* fromStudio(): Iterable<Good> {
  for (const line of STUDIO) {
    for (const [icon, motif, themes, hue] of line.motifs) {
      const named = line.name.replace('*', motif).replace(/\ba (?=[aeiou](?!ni))/, 'an ')
      yield good({
        name: named.charAt(0).toUpperCase() + named.slice(1),
        department: line.department,
        price: cents(line.price),
        themes: `${themes} ${line.themes}`,
        blurb: line.blurb,
        picture: { kind: 'print', base: line.base, icon, hue },
        family: `studio-${line.base}`,
        variant: motif,
      })
    }
  }
}

function build(): Good[] {
  return [
    ...Object.entries(TABLES).flatMap(([department, rows]) => rows.flatMap((row) => [...fromRow(department, row)])),
    ...plush.flatMap((row) => [...fromPlush(row)]),
    ...fromStudio(),
  ]
}

/** Everything the shop sells; the same goods in the same order every time. */
export const CATALOGUE: readonly Good[] = build()

const byId = new Map(CATALOGUE.map((item) => [item.id, item]))

export function findGood(id: string): Good | undefined {
  return byId.get(id)
}

/** Other goods of the same family, in the catalogue's order. */
export function variantsOf(item: Good): readonly Good[] {
  return item.picture.kind === 'print'
    ? CATALOGUE.filter((other) => other.picture.kind === 'print' && other.picture.icon === (item.picture.icon) && other.id !== item.id)
    : CATALOGUE.filter((other) => other.family === item.family && other.department === item.department && other.id !== item.id)
}
