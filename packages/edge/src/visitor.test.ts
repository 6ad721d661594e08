import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createVisitors } from './visitor.ts'

const SECRET = 'a visitor secret for tests'
const counting = (bytes: Uint8Array): void => bytes.forEach((_, index) => (bytes[index] = index))

test("a handle is its id and the first 16 bytes of HMAC-SHA-256 over site and id, by Node's own crypto", async () => {
  const handle = await createVisitors([SECRET], counting).create('shop')
  const id = Buffer.from(Uint8Array.from({ length: 16 }, (_, index) => index)).toString('base64url')
  const signature = createHmac('sha256', SECRET)
    .update(`shop\n${id}`)
    .digest()
    .subarray(0, 16)
    .toString('base64url')
  expect(handle).toBe(`${id}.${signature}`)
})

test('a handle is taken on its own site only', async () => {
  const visitors = createVisitors([SECRET], counting)
  const handle = await visitors.create('shop')
  expect(await visitors.verify('shop', handle)).toBe(handle.slice(0, 22))
  await expect(visitors.verify('other', handle)).rejects.toMatchObject({ code: 'VISITOR_FORGED' })
})

test.each([
  ['another signature', (handle: string) => `${handle.slice(0, 23)}${'A'.repeat(22)}`],
  ['another id', (handle: string) => `${'A'.repeat(22)}${handle.slice(22)}`],
  ['nothing after the id', (handle: string) => handle.slice(0, 22)],
  ['an id with a path', () => `../../../../etc/passwd_.${'A'.repeat(22)}`],
  ['nothing at all', () => ''],
])('%s is forged, also after the good handle was seen', async (_, forge) => {
  const visitors = createVisitors([SECRET], counting)
  const handle = await visitors.create('shop')
  await visitors.verify('shop', handle)
  await expect(visitors.verify('shop', forge(handle))).rejects.toMatchObject({ code: 'VISITOR_FORGED' })
})

test('after a rotation old handles are taken, and new ones are signed with the new secret', async () => {
  const before = await createVisitors([SECRET], counting).create('shop')
  const rotated = createVisitors(['the new secret, in front', SECRET], counting)
  expect(await rotated.verify('shop', before)).toBe(before.slice(0, 22))
  const after = await rotated.create('shop')
  expect(after).not.toBe(before)
  await expect(createVisitors([SECRET], counting).verify('shop', after)).rejects.toMatchObject({
    code: 'VISITOR_FORGED',
  })
})

test('of any site, secret and id: the handle is that visitor, and with any one character changed, on any other site or by another secret nobody', async () => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const site = fc.stringMatching(/^[a-z0-9-]{1,40}$/)
  const secret = fc.string({ minLength: 16, maxLength: 64 })
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
      fc.uniqueArray(site, { minLength: 2, maxLength: 2 }),
      fc.uniqueArray(secret, { minLength: 2, maxLength: 2 }),
      fc.nat(43),
      fc.constantFrom(...alphabet),
      async (random, [own = '', other = ''], [known = '', unknown = ''], at, character) => {
        const visitors = createVisitors([known], (bytes) => bytes.set(random))
        const handle = await visitors.create(own)
        const id = Buffer.from(random).toString('base64url')
        expect(await visitors.verify(own, handle)).toBe(id)
        const place = at < 22 ? at : at + 1
        const changed = `${handle.slice(0, place)}${character}${handle.slice(place + 1)}`
        const forged = [
          () => visitors.verify(other, handle),
          () => createVisitors([unknown], () => undefined).verify(own, handle),
          () => visitors.verify(own, `${handle}A`),
          ...(changed === handle ? [] : [() => visitors.verify(own, changed)]),
        ]
        for (const attempt of forged)
          await expect(attempt()).rejects.toMatchObject({ code: 'VISITOR_FORGED' })
      },
    ),
    { numRuns: 200 },
  )
})
