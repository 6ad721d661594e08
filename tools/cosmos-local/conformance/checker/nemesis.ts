import { REGIONS, type Cluster } from './cluster.ts'

export interface Toll {
  kills: number
  splits: number
  merges: number
  failovers: number
  pauses: number
  faults: number
}

const ITEMS = 'containers/check/registers'

/** Does one bad thing at random. */
export async function strike(
  cluster: Cluster,
  toll: Toll,
  random: () => number,
  kills: boolean,
): Promise<void> {
  const region = encodeURIComponent(REGIONS[Math.floor(random() * REGIONS.length)] ?? '')
  const dice = random()
  if (dice < 0.15) {
    const minMs = Math.floor(random() * 50)
    await cluster.admin('POST', `regions/${region}`, {
      lag: { minMs, maxMs: minMs + Math.floor(random() * 300) },
    })
  } else if (dice < 0.3) {
    toll.pauses++
    await cluster.admin('POST', `regions/${region}`, { paused: true })
    setTimeout(
      () => void cluster.admin('POST', `regions/${region}`, { paused: false }),
      200 + random() * 1000,
    )
  } else if (dice < 0.45) {
    if (await cluster.admin('POST', 'failover', { region: decodeURIComponent(region) })) toll.failovers++
  } else if (dice < 0.62) {
    const range = await rangeAtRandom(cluster, random)
    if (
      range !== undefined &&
      range.count < 12 &&
      (await cluster.admin('POST', `${ITEMS}/split`, { range: range.id }))
    )
      toll.splits++
  } else if (dice < 0.72) {
    const range = await rangeAtRandom(cluster, random)
    if (range !== undefined && (await cluster.admin('POST', `${ITEMS}/merge`, { range: range.id })))
      toll.merges++
  } else if (dice < 0.9 || !kills) {
    toll.faults++
    const kinds = [
      { kind: 'status', status: 503 },
      { kind: 'status', status: 408 },
      { kind: 'status', status: 429, retryAfterMs: 5 },
      { kind: 'drop', after: true },
      { kind: 'drop' },
      { kind: 'delay', ms: 150 },
    ]
    const fault = kinds[Math.floor(random() * kinds.length)]
    await cluster.admin('POST', 'faults', { count: 10, probability: 0.3, fault })
  } else {
    toll.kills++
    await cluster.kill()
    await cluster.start()
  }
}

async function rangeAtRandom(
  cluster: Cluster,
  random: () => number,
): Promise<{ id: string; count: number } | undefined> {
  try {
    const response = await fetch(`${cluster.adminEndpoint}/api/account`)
    const account = (await response.json()) as { databases: { containers: { ranges: { id: string }[] }[] }[] }
    const ranges = account.databases[0]?.containers[0]?.ranges ?? []
    const range = ranges[Math.floor(random() * ranges.length)]
    return range === undefined ? undefined : { id: range.id, count: ranges.length }
  } catch {
    return undefined
  }
}
