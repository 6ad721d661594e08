/** How one line of the catalogue becomes more than one good. */
export interface More {
  /** The same thing in other colours; the picture is recoloured with it. */
  readonly colours?: 'cloth' | 'lacquer'
  /** A larger pack beside the single one: its name and price in euro. */
  readonly pack?: readonly [name: string, price: number]
}

/** icon · name · price in euro · themes (what kind of person likes it) · blurb */
export type Row = readonly [
  icon: string,
  name: string,
  price: number,
  themes: string,
  blurb: string,
  more?: More,
]
