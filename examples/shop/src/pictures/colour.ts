/** Hue in degrees, saturation and lightness in [0, 1]. */
export interface Hsl {
  readonly h: number
  readonly s: number
  readonly l: number
}

const FILL = /fill="(#[0-9a-fA-F]{3,6})"/g
const PATH = /<path[^>]*?>/g
/** Fills this near to the main hue are the same material. */
const SAME_MATERIAL = 42

/** `#rgb` or `#rrggbb` → hue, saturation, lightness. */
export function parseColour(hex: string): Hsl {
  const long = hex.length === 4 ? hex.replace(/[0-9a-f]/gi, (digit) => digit + digit) : hex
  const [r, g, b] = [1, 3, 5].map((at) => Number.parseInt(long.slice(at, at + 2), 16) / 255) as [
    number,
    number,
    number,
  ]
  const max = Math.max(r, g, b)
  const min = Math.min(r, g, b)
  const l = (max + min) / 2
  const chroma = max - min
  if (chroma === 0) return { h: 0, s: 0, l }
  const sector = max === r ? (g - b) / chroma + 6 : max === g ? (b - r) / chroma + 2 : (r - g) / chroma + 4
  return { h: (sector * 60) % 360, s: chroma / (1 - Math.abs(2 * l - 1)), l }
}

export function formatColour({ h, s, l }: Hsl): string {
  const channel = (offset: number): string => {
    const k = (offset + h / 30) % 12
    const value = l - s * Math.min(l, 1 - l) * Math.max(-1, Math.min(k - 3, 9 - k, 1))
    return Math.round(value * 255)
      .toString(16)
      .padStart(2, '0')
  }
  return `#${channel(0)}${channel(8)}${channel(4)}`
}

/** Degrees between two hues, 0 to 180. */
export function hueDistance(a: number, b: number): number {
  const difference = Math.abs(a - b) % 360
  return Math.min(difference, 360 - difference)
}

/** The colour that covers most of an icon; greys count only where nothing is coloured. */
export function mainColour(body: string): Hsl {
  const area = new Map<string, number>()
  for (const [tag] of body.matchAll(PATH)) {
    const fill = /fill="(#[0-9a-fA-F]{3,6})"/.exec(tag)?.[1]
    const d = /\sd="([^"]+)"/.exec(tag)?.[1]
    if (fill !== undefined && d !== undefined) area.set(fill, (area.get(fill) ?? 0) + outlineArea(d))
  }
  const colours = [...area].map(([fill, size]) => ({ ...parseColour(fill), size }))
  const coloured = colours.filter(({ s, l }) => s > 0.15 && l > 0.12 && l < 0.95)
  const best = (coloured.length > 0 ? coloured : colours).sort((a, b) => b.size - a.size)[0]
  return best ?? { h: 0, s: 0, l: 0.5 }
}

/** A colour as a dyer thinks of it. */
export interface Tone {
  /** Degrees. */
  readonly hue: number
  /** Most saturated it gets. */
  readonly saturation: number
  /** Factor on lightness. */
  readonly lightness: number
}

/**
 * Dyes what an icon is mostly made of; straps, buttons and highlights of other colours stay. Greys are tinted when the
 * whole icon is grey.
 */
export function recolour(body: string, { hue, saturation, lightness }: Tone): string {
  const main = mainColour(body)
  const grey = main.s <= 0.15
  return body.replace(FILL, (whole, hex: string) => {
    const { h, s, l } = parseColour(hex)
    if (grey)
      return l < 0.25 || l > 0.97
        ? whole
        : `fill="${formatColour({ h: hue, s: saturation * 0.7, l: l * lightness })}"`
    if (s <= 0.12 || hueDistance(h, main.h) > SAME_MATERIAL) return whole
    const strong = main.s < 0.3 ? Math.max(s, 0.4) : s
    return `fill="${formatColour({ h: (h - main.h + hue + 360) % 360, s: Math.min(strong, saturation), l: l * lightness })}"`
  })
}

/** Area of the polygon through a path's end points: enough to tell large shapes from small ones. */
function outlineArea(d: string): number {
  let x = 0
  let y = 0
  let area = 0
  for (const [, command = '', text = ''] of d.matchAll(/([a-zA-Z])([^a-zA-Z]*)/g)) {
    const numbers = (text.match(/-?(?:\d*\.\d+|\d+)/g) ?? []).map(Number)
    const kind = command.toLowerCase()
    const step = { m: 2, l: 2, t: 2, h: 1, v: 1, c: 6, s: 4, q: 4, a: 7 }[kind] ?? 0
    if (step === 0) continue
    for (let at = 0; at + step <= numbers.length; at += step) {
      const relative = command === kind
      const last = numbers[at + step - 1] ?? 0
      const beforeLast = numbers[at + step - 2] ?? 0
      const nextX = kind === 'v' ? x : (relative ? x : 0) + (kind === 'h' ? last : beforeLast)
      const nextY = kind === 'h' ? y : (relative ? y : 0) + last
      if (kind !== 'm') area += x * nextY - nextX * y
      x = nextX
      y = nextY
    }
  }
  return Math.abs(area) / 2
}
