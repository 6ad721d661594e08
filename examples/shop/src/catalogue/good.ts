import type { Picture } from '../pictures/picture.ts'

/** A department of the shop. */
export interface Department {
  /** In addresses: `/d/<id>`. */
  readonly id: string
  readonly name: string
  /** One line under the heading. */
  readonly line: string
  /** Icon on the department's tile. */
  readonly icon: string
  /** Hue of its tiles, degrees. */
  readonly hue: number
}

/** One thing that can be bought; its id is the item id Attune ranks. */
export interface Good {
  readonly id: string
  readonly name: string
  readonly department: string
  /** Euro cents. */
  readonly price: number
  readonly blurb: string
  /** What kind of person likes it; simulated shoppers have tastes over these. */
  readonly themes: readonly string[]
  readonly picture: Picture
  /** Goods of one family are variants of each other: colours, sizes, packs. */
  readonly family: string
  /** What tells it from its family, "moss" or "dozen". */
  readonly variant: string
}
