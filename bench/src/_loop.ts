import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startCosmosLocal } from '@attune/cosmos-local'
import { provision } from '@attune/edge'
import { startNodeEdge } from '@attune/edge/node'
import { generateSigningKey, publicJwk, type SigningKey } from '@attune/trainer-bridge'

type RunningEdge = Awaited<ReturnType<typeof startNodeEdge>>
type EdgeOptions = Parameters<typeof startNodeEdge>[0]
export interface RunningCosmos {
  readonly endpoint: string
  readonly key: string
  close(): Promise<void>
}
export type StartEdge = (options: EdgeOptions) => Promise<RunningEdge>

/** Cosmos and edges of one machine, on free ports, in a folder that is deleted at the end. */
export interface House {
  readonly folder: string
  readonly cosmos: RunningCosmos
  readonly edges: RunningEdge[]
  readonly signingKey: SigningKey
  readonly pushKey: string
  readonly siteKey: string
  /** Options of edge `index`, to start it again. */
  edgeOptions(index: number): EdgeOptions
  close(): Promise<void>
}

export async function startHouse(
  edges: number,
  startEdge: StartEdge = startNodeEdge,
  startCosmos: (folder: string) => Promise<RunningCosmos> = (at) => startCosmosLocal({ port: 0, folder: at }),
): Promise<House> {
  const folder = await mkdtemp(join(tmpdir(), 'attune-bench-'))
  const cosmos = await startCosmos(join(folder, 'cosmos'))
  const { endpoint, key } = cosmos
  const signingKey = await generateSigningKey()
  const { x, kid } = publicJwk(signingKey)
  const pushKey = randomBytes(24).toString('base64url')
  const visitorSecret = randomBytes(24).toString('base64url')
  const siteKey = 'pk_bench_0000'
  const edgeOptions = (index: number): EdgeOptions => ({
    persist: join(folder, `edge-${index}`),
    cosmos: { endpoint, key },
    site: { id: 'bench', key: siteKey },
    pushKey,
    visitorSecret,
    verifyKeys: [{ kty: 'OKP', crv: 'Ed25519', x: x ?? '', ...(kid !== undefined && { kid }) }],
    diagnostics: true,
  })
  const started: RunningEdge[] = []
  const close = async (): Promise<void> => {
    await Promise.allSettled(started.map((edge) => edge.close()))
    await cosmos.close()
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await provision({ endpoints: [endpoint], key, database: 'attune' }, { fetch, now: Date.now })
    for (let index = 0; index < edges; index++) started.push(await startEdge(edgeOptions(index)))
  } catch (error) {
    await close()
    throw error
  }
  return { folder, cosmos, edges: started, signingKey, pushKey, siteKey, edgeOptions, close }
}

/** Asks until `accept` takes the answer. @throws when it has not by then */
export async function until<T>(
  what: string,
  ask: () => Promise<T>,
  accept: (answer: T) => boolean,
  timeoutMs = 20_000,
  everyMs = 20,
): Promise<T> {
  const end = performance.now() + timeoutMs
  for (;;) {
    const answer = await ask()
    if (accept(answer)) return answer
    if (performance.now() > end)
      throw new Error(`${what}: not within ${timeoutMs} ms, last answer ${JSON.stringify(answer)}`)
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}
