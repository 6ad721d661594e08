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
  bakery,
  deli,
  drinks,
  market,
  garden,
  toys,
  models,
  clothes,
  shoes,
  accessories,
  kitchen,
  home,
  workshop,
  paper,
  sound,
  sport,
  travel,
}

type Dye = readonly [name: string, hue: number, saturation: number, lightness: number]

const COLOURS: Readonly<Record<NonNullable<More['colours']>, readonly Dye[]>> = {
  cloth: [
    ['rust', 15, 0.66, 0.84],
    ['mustard', 42, 0.74, 0.94],
    ['moss', 92, 0.36, 0.8],
    ['teal', 180, 0.56, 0.78],
    ['navy', 222, 0.52, 0.6],
    ['plum', 302, 0.38, 0.72],
    ['rose', 345, 0.62, 1.08],
  ],
  lacquer: [
    ['tomato', 7, 0.78, 1],
    ['amber', 38, 0.82, 1],
    ['leaf', 128, 0.48, 0.86],
    ['lagoon', 188, 0.66, 0.9],
    ['cobalt', 222, 0.7, 0.88],
    ['violet', 264, 0.56, 0.98],
    ['fuchsia', 322, 0.66, 0.96],
  ],
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
  yield good({
    ...shared,
    name,
    price: cents(price),
    picture: { kind: 'icon', icon },
    variant: more.colours === undefined ? 'single' : 'classic',
  })
  if (more.pack !== undefined) {
    const [packName, packPrice] = more.pack
    yield good({
      ...shared,
      name: packName,
      price: cents(packPrice),
      picture: { kind: 'pack', icon },
      variant: 'pack',
    })
  }
  if (more.colours === undefined) return
  const main = mainColour(iconBody(icon))
  const apart = COLOURS[more.colours].filter(
    ([, hue]) => main.s <= 0.15 || hueDistance(hue, main.h) >= MIN_HUE_DISTANCE,
  )
  // Starting at a different colour each time keeps one shelf from being all rust and mustard.
  const start = name.length % apart.length
  for (let i = 0; i < COLOURWAYS; i++) {
    const dye = apart[(start + i * Math.floor(apart.length / COLOURWAYS)) % apart.length]
    if (dye === undefined) continue
    const [colour, hue, saturation, lightness] = dye
    const picture = { kind: 'icon', icon, tone: { hue, saturation, lightness } } as const
    yield good({ ...shared, name: `${name}, ${colour}`, price: cents(price), picture, variant: colour })
  }
}

function* fromPlush([icon, animal, themes, blurb]: (typeof plush)[number]): Iterable<Good> {
  const shared = { department: 'plush', themes: `${themes} kids`, blurb, family: slug(animal) }
  const rank = animal.length % 5
  yield good({
    ...shared,
    name: `${animal}, soft toy`,
    price: cents(19 + 2 * rank),
    picture: { kind: 'icon', icon },
    variant: '28 cm',
  })
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
    ...Object.entries(TABLES).flatMap(([department, rows]) =>
      rows.flatMap((row) => [...fromRow(department, row)]),
    ),
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
    ? CATALOGUE.filter(
        (other) =>
          other.picture.kind === 'print' && other.picture.icon === item.picture.icon && other.id !== item.id,
      )
    : CATALOGUE.filter(
        (other) =>
          other.family === item.family && other.department === item.department && other.id !== item.id,
      )
}
