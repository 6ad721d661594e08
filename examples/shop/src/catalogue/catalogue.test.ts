import { expect, test } from 'vitest'
import { pictureSvg } from '../pictures/picture.ts'
import { CATALOGUE, findGood, variantsOf } from './catalogue.ts'
import { DEPARTMENTS, department } from './departments.ts'

test('the catalogue has 1,200 goods with ids of their own, each in a department that exists', () => {
  expect(CATALOGUE).toHaveLength(1_200)
  expect(new Set(CATALOGUE.map(({ id }) => id)).size).toBe(1_200)
  expect(new Set(CATALOGUE.map(({ name }) => name)).size).toBe(1_200)
  expect(CATALOGUE.filter((good) => department(good.department) === undefined)).toEqual([])
  for (const { id } of DEPARTMENTS) {
    expect(CATALOGUE.filter((good) => good.department === id).length, id).toBeGreaterThanOrEqual(20)
  }
})

test('every good has a picture, a price, a blurb and something it is about', () => {
  for (const good of CATALOGUE) {
    expect(pictureSvg(good.picture), good.id).toMatch(/^<svg .*<\/svg>$/s)
    expect(good.price, good.id).toBeGreaterThan(0)
    expect(good.blurb.length, good.id).toBeGreaterThan(3)
    expect(good.themes.length, good.id).toBeGreaterThan(0)
    expect(good.id, good.name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/)
  }
})

test('no two goods of a department look the same', () => {
  for (const { id } of DEPARTMENTS) {
    const pictures = CATALOGUE.filter((good) => good.department === id).map(({ picture }) =>
      pictureSvg(picture),
    )
    expect(new Set(pictures).size, id).toBe(pictures.length)
  }
})

test('a wool coat comes in two more colours, which know each other', () => {
  const coat = findGood('wool-coat')
  if (coat === undefined) throw new Error('no coat')
  const others = variantsOf(coat)
  expect(others.map(({ family }) => family)).toEqual(['wool-coat', 'wool-coat'])
  expect(variantsOf(others[0] ?? coat).map(({ id }) => id)).toContain('wool-coat')
})
