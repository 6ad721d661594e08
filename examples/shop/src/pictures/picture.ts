import { baseSvg, type Base } from './bases.ts'
import { recolour, type Tone } from './colour.ts'
import { iconBody } from './icon.ts'

/** How a good's picture is made out of the icon set. */
export type Picture =
  | { readonly kind: 'icon'; readonly icon: string; readonly tone?: Tone }
  /** Several of one thing. */
  | { readonly kind: 'pack'; readonly icon: string }
  /** One of the print studio's own drawings with a motif on it. */
  | { readonly kind: 'print'; readonly base: Base; readonly icon: string; readonly hue: number }

const PACK: readonly (readonly [x: number, y: number, scale: number])[] = [
  [1, 2, 0.5],
  [15, 2, 0.5],
  [8, 5, 0.5],
  [-1, 13, 0.56],
  [15, 13, 0.56],
  [6.5, 15, 0.6],
]

/**
 * A picture as an SVG document of 32 × 32 units.
 *
 * @throws {PictureError} `ICON_UNKNOWN`
 */
export function pictureSvg(picture: Picture): string {
  const body = iconBody(picture.icon)
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">${drawing(picture, body)}</svg>`
}

function drawing(picture: Picture, body: string): string {
  switch (picture.kind) {
    case 'icon':
      return picture.tone === undefined ? body : recolour(body, picture.tone)
    case 'pack':
      return PACK.map(
        ([x, y, scale]) => `<g transform="translate(${x} ${y}) scale(${scale})">${body}</g>`,
      ).join('')
    case 'print':
      return baseSvg(picture.base, body, picture.hue)
  }
}
