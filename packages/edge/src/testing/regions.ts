import { expect } from 'vitest'
import type { WorldOptions, World } from './worlds.ts'

/** An account of these regions, the first of which takes the writes, and two edges: one reads the first, the other the second. */
export function inRegions(names: readonly [string, string, ...string[]]): WorldOptions {
  return {
    edges: 2,
    cosmos: { regions: names.map((name) => ({ name })) },
    configure: (options, edge, cosmos) => ({
      ...options,
      cosmos: {
        ...options.cosmos,
        endpoint: cosmos.regions.map((region) => region.endpoint),
        readRegion: edge === 0 ? names[0] : names[1],
      },
    }),
  }
}

/** Asks the local Cosmos's own API, which stages what goes wrong. */
export async function askAdmin({ cosmos }: World, path: string, body: unknown): Promise<void> {
  const response = await fetch(`${cosmos.adminEndpoint}/api/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  expect(response.status).toBe(200)
}

/** Ends every fault; all regions are up and replicate again. */
export async function heal(world: World): Promise<void> {
  await fetch(`${world.cosmos.adminEndpoint}/api/faults`, { method: 'DELETE' })
  for (const { name } of world.cosmos.regions)
    await askAdmin(world, `regions/${name}`, { paused: false, down: false })
}
