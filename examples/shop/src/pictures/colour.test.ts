import { expect, test } from 'vitest'
import { formatColour, hueDistance, mainColour, parseColour, recolour } from './colour.ts'

test('#ff8000 is hue 30.1°, fully saturated, half light, by hand', () => {
  // r = 1, g = 128/255, b = 0: hue = 60·(g − b)/(max − min) = 60·0.50196 = 30.118; l = 1/2; s = 1
  const { h, s, l } = parseColour('#ff8000')
  expect([h, s, l].map((number) => Number(number.toFixed(3)))).toEqual([30.118, 1, 0.5])
})

test('hsl(210 50 % 40 %) is #336699, as CSS Color 4 has it', () => {
  expect(formatColour({ h: 210, s: 0.5, l: 0.4 })).toBe('#336699')
  expect(parseColour('#369')).toEqual(parseColour('#336699'))
})

test('350° and 10° are 20° apart', () => {
  expect(hueDistance(350, 10)).toBe(20)
})

// A blue square of 20 × 20 with a yellow one of 4 × 4 on it and grey buckles.
const BAG =
  '<path fill="#336699" d="M0 0h20v20h-20z"/><path fill="#ffcc00" d="M2 2h4v4h-4z"/><path fill="#888888" d="M0 0h1v1h-1z"/>'

test('the main colour is the one with the largest area', () => {
  expect(mainColour(BAG).h).toBeCloseTo(210, 6)
})

test('dyeing turns the main colour and leaves straps and buckles alone', () => {
  // 210° → 0°, saturation kept at 0.5, lightness 0.4 · 0.5 = 0.2: hsl(0 50 % 20 %) is #4d1a1a
  const dyed = recolour(BAG, { hue: 0, saturation: 0.8, lightness: 0.5 })
  expect(dyed).toContain('#4d1a1a')
  expect(dyed).toContain('#ffcc00')
  expect(dyed).toContain('#888888')
  expect(dyed).not.toContain('#336699')
})
