import type { Department } from './good.ts'

export const DEPARTMENTS: readonly Department[] = [
  { id: 'bakery', name: 'Bakery', line: 'Warm since five o’clock.', icon: 'croissant', hue: 34 },
  { id: 'deli', name: 'Deli', line: 'Suppers, snacks and one good cheese.', icon: 'cheese-wedge', hue: 46 },
  { id: 'drinks', name: 'Drinks', line: 'Poured, brewed, shaken.', icon: 'hot-beverage', hue: 18 },
  { id: 'market', name: 'Fruit & veg', line: 'What the season has to say.', icon: 'strawberry', hue: 96 },
  {
    id: 'garden',
    name: 'Garden',
    line: 'Things that grow, and things to grow them in.',
    icon: 'potted-plant',
    hue: 140,
  },
  { id: 'plush', name: 'Soft toys', line: 'A zoo you may hug.', icon: 'fox', hue: 24 },
  {
    id: 'toys',
    name: 'Games & party',
    line: 'For rainy days and loud evenings.',
    icon: 'game-die',
    hue: 330,
  },
  {
    id: 'models',
    name: 'Model garage',
    line: 'Trains, planes and automobiles, 1:43.',
    icon: 'locomotive',
    hue: 205,
  },
  { id: 'clothes', name: 'Clothes', line: 'Few, good, in your colour.', icon: 'coat', hue: 262 },
  { id: 'shoes', name: 'Shoes', line: 'From pier to peak.', icon: 'hiking-boot', hue: 12 },
  { id: 'accessories', name: 'Bags & finery', line: 'What makes the outfit.', icon: 'handbag', hue: 345 },
  { id: 'kitchen', name: 'Kitchen', line: 'Tools that outlive recipes.', icon: 'teapot', hue: 170 },
  { id: 'home', name: 'Home', line: 'Lamps, clocks, comforts.', icon: 'couch-and-lamp', hue: 56 },
  { id: 'workshop', name: 'Workshop & lab', line: 'Fix it, build it, find out.', icon: 'toolbox', hue: 215 },
  {
    id: 'paper',
    name: 'Paper & books',
    line: 'For writing down and reading up.',
    icon: 'fountain-pen',
    hue: 232,
  },
  { id: 'sound', name: 'Sound & screen', line: 'Play, press play, press record.', icon: 'guitar', hue: 285 },
  { id: 'sport', name: 'Sport', line: 'Balls, bats and second winds.', icon: 'basketball', hue: 28 },
  { id: 'travel', name: 'Out & about', line: 'Camp, coast and street.', icon: 'tent', hue: 190 },
  {
    id: 'studio',
    name: 'Our print studio',
    line: 'Drawn upstairs, made to order.',
    icon: 'artist-palette',
    hue: 310,
  },
]

const byId = new Map(DEPARTMENTS.map((department) => [department.id, department]))

export function department(id: string): Department | undefined {
  return byId.get(id)
}
