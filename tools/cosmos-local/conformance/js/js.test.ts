import { afterAll, beforeAll, test } from 'vitest'
import { checks } from './checks.ts'
import { makeWorld, type World } from './world.ts'

let world: World

beforeAll(async () => {
  world = await makeWorld()
})

afterAll(() => world.close())

for (const check of checks) test(check.name, () => check.run(world))
