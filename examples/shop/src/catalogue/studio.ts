import type { Base } from '../pictures/bases.ts'

/** What the print studio makes: one base, a motif on it. */
export interface StudioLine {
  readonly base: Base
  readonly department: string
  /** `*` stands for the motif. */
  readonly name: string
  readonly price: number
  readonly themes: string
  readonly blurb: string
  readonly motifs: readonly (readonly [icon: string, name: string, themes: string, hue: number])[]
}

const ANIMALS: StudioLine['motifs'] = [
  ['fox', 'fox', 'woodland', 165],
  ['owl', 'owl', 'woodland birds', 35],
  ['hedgehog', 'hedgehog', 'woodland', 95],
  ['rabbit-face', 'rabbit', 'woodland pets', 345],
  ['raccoon', 'raccoon', 'woodland', 205],
  ['tiger-face', 'tiger', 'safari', 150],
  ['elephant', 'elephant', 'safari', 45],
  ['panda', 'panda', 'bamboo', 120],
  ['koala', 'koala', 'safari', 20],
  ['cat-face', 'cat', 'pets', 265],
  ['dog-face', 'dog', 'pets', 195],
  ['frog', 'frog', 'pond', 330],
  ['flamingo', 'flamingo', 'birds tropical', 175],
  ['penguin', 'penguin', 'birds winter', 25],
  ['whale', 'whale', 'ocean', 50],
  ['octopus', 'octopus', 'ocean', 185],
  ['unicorn', 'unicorn', 'fantasy', 275],
  ['sauropod', 'diplodocus', 'dinosaur', 40],
  ['honeybee', 'honeybee', 'garden farm', 210],
  ['ewe', 'sheep', 'farm', 130],
]

const SCENES: StudioLine['motifs'] = [
  ['mount-fuji', 'Mount Fuji', 'japanese mountains', 205],
  ['national-park', 'The national park', 'camping hiking', 120],
  ['desert-island', 'Desert island', 'beach tropical', 190],
  ['sunrise-over-mountains', 'Sunrise over the range', 'mountains hiking', 25],
  ['cityscape-at-dusk', 'City at dusk', 'city', 260],
  ['bridge-at-night', 'Bridge at night', 'city', 225],
  ['milky-way', 'Milky Way', 'space camping', 250],
  ['snow-capped-mountain', 'First snow', 'winter mountains', 200],
  ['desert', 'Desert noon', 'desert travel', 40],
  ['volcano', 'Volcano', 'science travel', 10],
  ['water-wave', 'The wave', 'ocean japanese', 195],
  ['rainbow', 'After the rain', 'kids fantasy', 300],
  ['full-moon', 'Harvest moon', 'space farm', 45],
  ['hot-springs', 'Hot springs', 'wellness japanese', 355],
  ['ferris-wheel', 'The big wheel', 'city fantasy', 330],
  ['house-with-garden', 'House with a garden', 'home garden', 100],
]

const FRUIT: StudioLine['motifs'] = [
  ['strawberry', 'strawberry', 'breakfast sweet', 352],
  ['cherries', 'sour cherry', 'breakfast orchard', 345],
  ['blueberries', 'blueberry', 'breakfast wellness', 245],
  ['peach', 'vine peach', 'orchard', 22],
  ['tangerine', 'clementine', 'breakfast christmas', 30],
  ['lemon', 'lemon curd', 'baking tea', 50],
  ['red-apple', 'apple & cinnamon', 'orchard winter', 5],
  ['pear', 'pear & vanilla', 'orchard baking', 75],
  ['mango', 'mango chutney', 'tropical vegetarian', 38],
  ['tomato', 'tomato relish', 'barbecue italian', 8],
  ['hot-pepper', 'chilli jam', 'mexican barbecue', 2],
  ['ginger-root', 'ginger marmalade', 'tea wellness', 42],
  ['olive', 'olive tapenade', 'italian cocktails', 90],
  ['chestnut', 'chestnut cream', 'winter baking', 20],
]

const BLOOMS: StudioLine['motifs'] = [
  ['rose', 'rose', 'romance flowers', 345],
  ['hyacinth', 'hyacinth', 'flowers', 265],
  ['cherry-blossom', 'cherry blossom', 'japanese flowers', 335],
  ['herb', 'garden herb', 'kitchen plants', 110],
  ['lemon', 'lemon', 'italian', 50],
  ['tangerine', 'orange & clove', 'christmas winter', 28],
  ['coconut', 'coconut', 'tropical beach', 25],
  ['hibiscus', 'hibiscus', 'tropical flowers', 355],
  ['blueberries', 'wild berry', 'woodland', 240],
  ['evergreen-tree', 'pine forest', 'woodland christmas', 150],
  ['blossom', 'camomile', 'wellness', 48],
  ['ginger-root', 'ginger', 'wellness winter', 38],
]

const SEEDS: StudioLine['motifs'] = [
  ['sunflower', 'Sunflower', 'flowers farm', 45],
  ['tulip', 'Tulip', 'flowers', 350],
  ['rose', 'Climbing rose', 'flowers romance', 340],
  ['hibiscus', 'Hibiscus', 'flowers tropical', 335],
  ['herb', 'Basil', 'kitchen italian', 120],
  ['four-leaf-clover', 'Clover', 'farm', 140],
  ['carrot', 'Carrot', 'vegetarian', 25],
  ['tomato', 'Tomato', 'italian vegetarian', 8],
  ['cucumber', 'Cucumber', 'vegetarian', 130],
  ['eggplant', 'Aubergine', 'vegetarian italian', 280],
  ['hot-pepper', 'Chilli', 'mexican', 5],
  ['bell-pepper', 'Pepper', 'vegetarian', 100],
  ['pea-pod', 'Pea', 'vegetarian kids', 95],
  ['ear-of-corn', 'Sweetcorn', 'farm barbecue', 48],
  ['broccoli', 'Broccoli', 'vegetarian fitness', 135],
  ['watermelon', 'Watermelon', 'beach', 355],
  ['strawberry', 'Strawberry', 'sweet', 350],
  ['beans', 'Runner bean', 'vegetarian', 20],
]

export const STUDIO: readonly StudioLine[] = [
  {
    base: 'mug',
    department: 'studio',
    name: 'Mug with a *',
    price: 15,
    themes: 'coffee tea',
    blurb: 'Enamel over steel, chip-proof, printed upstairs.',
    motifs: ANIMALS,
  },
  {
    base: 'tote',
    department: 'studio',
    name: 'Tote bag with a *',
    price: 18,
    themes: 'fashion city',
    blurb: 'Heavy canvas, long handles, carries a week.',
    motifs: ANIMALS,
  },
  {
    base: 'cushion',
    department: 'studio',
    name: 'Cushion with a *',
    price: 34,
    themes: 'home bedtime',
    blurb: 'Linen cover, feather filling, forty-five centimetres of nap.',
    motifs: ANIMALS,
  },
  {
    base: 'pin',
    department: 'studio',
    name: 'Enamel pin: *',
    price: 8,
    themes: 'fashion',
    blurb: 'Hard enamel, two clasps, goes on anything.',
    motifs: ANIMALS,
  },
  {
    base: 'card',
    department: 'studio',
    name: 'Greeting card: *',
    price: 4,
    themes: 'writing party',
    blurb: 'Letterpress on cotton paper, blank inside.',
    motifs: ANIMALS.slice(0, 12),
  },
  {
    base: 'print',
    department: 'studio',
    name: '*, framed print',
    price: 42,
    themes: 'art home',
    blurb: 'Risograph in an oak frame, ready to hang.',
    motifs: SCENES,
  },
  {
    base: 'puzzle',
    department: 'toys',
    name: '* puzzle',
    price: 22,
    themes: 'puzzles bedtime',
    blurb: 'A thousand linen-finish pieces and a long weekend.',
    motifs: SCENES.slice(0, 14),
  },
  {
    base: 'jam',
    department: 'deli',
    name: 'Jar of *',
    price: 6.5,
    themes: 'breakfast kitchen',
    blurb: 'Small copper pan, sixty-five per cent fruit, forty jars a batch.',
    motifs: FRUIT,
  },
  {
    base: 'tea',
    department: 'drinks',
    name: 'Loose-leaf tea, *',
    price: 11,
    themes: 'tea wellness',
    blurb: 'A tin that keeps a hundred quiet moments.',
    motifs: BLOOMS,
  },
  {
    base: 'candle',
    department: 'home',
    name: 'Scented candle, *',
    price: 24,
    themes: 'home wellness',
    blurb: 'Rapeseed wax, cotton wick, fifty hours.',
    motifs: BLOOMS,
  },
  {
    base: 'seeds',
    department: 'garden',
    name: '* seeds',
    price: 3.5,
    themes: 'garden plants',
    blurb: 'Open-pollinated; sow, wait, share.',
    motifs: SEEDS,
  },
]
