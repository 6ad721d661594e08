import fc from 'fast-check'
import { expect, test } from 'vitest'
import { balance } from './balance.ts'
import { leasePrefix, nextGeneration, readLeases } from './lease.ts'
import type { KeyRange } from './places.ts'

interface Lease {
  readonly range: KeyRange
  readonly generation: number
}
const hex = (value: number) => value.toString(16).padStart(2, '0')
const lease = (min: number, max: number, generation: number): Lease => ({
  range: { min: hex(min), max: hex(max) },
  generation,
})

test('ids begin as those of the .NET processor: name, host of the account, rid of the container', () => {
  // CosmosContainerExtensions.GetLeasePrefix, as KEDA 2.21 quotes it: {processorName}{accountHost}_{rid}..{partition}
  expect(leasePrefix('attune', 'https://shop.documents.azure.com:443/', 'AbCd=')).toBe(
    'attuneshop.documents.azure.com_AbCd=.',
  )
})

test('a parent counts until both children are there, then only they do', () => {
  const parent = lease(0, 8, 1)
  const [low, high] = [lease(0, 4, 2), lease(4, 8, 2)]
  expect(readLeases([parent])).toEqual({ active: [parent], superseded: [] })
  expect(readLeases([parent, low])).toEqual({ active: [parent], superseded: [] })
  expect(readLeases([parent, low, high])).toEqual({ active: [low, high], superseded: [parent] })
})

test('splits and joins interrupted anywhere, and deleted late: every key is in exactly one active lease', () => {
  const action = fc.record({ where: fc.nat(), cut: fc.nat(), crash: fc.nat(4), join: fc.boolean() })
  fc.assert(
    fc.property(fc.array(action, { maxLength: 20 }), (actions) => {
      let leases: Lease[] = [lease(0, 64, 1), lease(64, 128, 1)]
      for (const { where, cut, crash, join } of actions) {
        const { active, superseded } = readLeases(leases)
        // Every other time somebody cleans up first.
        if (where % 2 === 0) leases = leases.filter((one) => !superseded.includes(one))
        const ordered = [...active].sort((a, b) => (a.range.min < b.range.min ? -1 : 1))
        const one = ordered[where % ordered.length]
        const next = ordered[(where % ordered.length) + 1]
        if (one === undefined) continue
        const [min, max] = [Number.parseInt(one.range.min, 16), Number.parseInt(one.range.max, 16)]
        const steps: Lease[] = []
        if (join && next !== undefined) {
          const joined = lease(min, Number.parseInt(next.range.max, 16), 0)
          steps.push({ ...joined, generation: nextGeneration(joined.range, leases) })
        } else if (max - min > 1) {
          const middle = min + 1 + (cut % (max - min - 1))
          const generation = nextGeneration(one.range, leases)
          steps.push(lease(min, middle, generation), lease(middle, max, generation))
        }
        for (const made of steps.slice(0, crash)) {
          const same = (other: Lease) =>
            other.range.min === made.range.min && other.range.max === made.range.max
          // An id there is already is not made again.
          if (!leases.some(same)) leases = [...leases, made]
        }
        const covered = readLeases(leases).active
        for (let key = 0; key < 128; key++) {
          const holders = covered.filter(({ range }) => range.min <= hex(key) && hex(key) < range.max)
          expect(holders.length, `key ${key} of ${JSON.stringify(leases)}`).toBe(1)
        }
      }
    }),
    { numRuns: 300 },
  )
})

test('however leases lie, a few rounds of everybody letting go and taking end in even shares', () => {
  fc.assert(
    fc.property(
      fc.nat(23),
      fc.integer({ min: 1, max: 6 }),
      fc.array(fc.nat(8), { minLength: 24 }),
      (count, size, owners) => {
        const members = Array.from({ length: size }, (_, index) => `m${index}`)
        const leases = Array.from({ length: count }, (_, index) => ({
          id: `l${index}`,
          // Some are held by nobody, some by one who has gone.
          owner: members[owners[index] ?? 0],
        }))
        for (let round = 0; round < 3; round++) {
          for (const me of members) {
            const mine = new Set(leases.filter(({ owner }) => owner === me).map(({ id }) => id))
            const { take, release } = balance(leases, new Set(members), me, mine)
            for (const one of leases) {
              if (take.includes(one.id)) {
                expect(one.owner).toBeUndefined()
                one.owner = me
              } else if (release.includes(one.id)) one.owner = undefined
            }
          }
        }
        const shares = members.map((member) => leases.filter(({ owner }) => owner === member).length)
        expect(shares.reduce((sum, share) => sum + share, 0)).toBe(count)
        expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(1)
      },
    ),
  )
})
