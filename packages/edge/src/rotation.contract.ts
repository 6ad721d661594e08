import { createHmac } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RunningEdge } from './host/options.ts'
import { Api, edgeOptions, SITE } from './testing/api.ts'
import { createSigner, type TestSigner } from './testing/artifact.ts'
import { createWorld, type StartEdge, type World } from './testing/worlds.ts'

type Age = 'old' | 'new'
const secret = (age: Age, kind: string): string => `${age}_${kind}_of_at_least_16_characters`

/** Every kind of key and secret, before, during and after its rotation, over real HTTP, on any host. */
export function describeRotation(start: StartEdge): void {
  let folder: string
  let world: World
  let signers: Readonly<Record<Age, TestSigner>>
  const edges: RunningEdge[] = []
  let before: Api
  let during: Api
  let after: Api

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'attune-rotation-'))
    world = await createWorld(start, { edges: 0 })
    signers = { old: await createSigner('old'), new: await createSigner('new') }
    const run = async (...ages: Age[]): Promise<Api> => {
      const all = (kind: string) => ages.map((age) => secret(age, kind))
      const { endpoint, key } = world.cosmos
      const edge = await start({
        ...edgeOptions({ endpoint, key }, signers.old),
        persist: join(folder, ages.join()),
        settings: {
          ATTUNE_SITES: JSON.stringify([{ id: SITE.id, keys: all('site') }]),
          ATTUNE_PUSH_KEYS: all('push').join(','),
          ATTUNE_ADMIN_KEYS: all('admin').join(','),
          ATTUNE_VISITOR_SECRETS: all('visitor').join(','),
          ATTUNE_IDENTITY_SECRETS: JSON.stringify({ [SITE.id]: all('identity') }),
          ATTUNE_VERIFY_KEYS: JSON.stringify(ages.map((age) => signers[age].publicKey)),
        },
      })
      edges.push(edge)
      return new Api(edge.url)
    }
    before = await run('old')
    during = await run('new', 'old')
    after = await run('new')
  })

  afterAll(async () => {
    for (const edge of edges) await edge.close()
    await world.close()
    await rm(folder, { recursive: true, force: true })
  })

  const page = <T>(api: Api, age: Age, path: string, body: object) =>
    api.send<T>('POST', `/v1/${path}`, {
      body: JSON.stringify(body),
      headers: { 'x-attune-key': secret(age, 'site') },
    })
  const newVisitor = async (api: Api, age: Age) =>
    (await page<{ visitor: string }>(api, age, 'visitors', {})).body.visitor
  const proof = (age: Age) => {
    const expires = Math.floor(Date.now() / 1_000) + 600
    const text = `${SITE.id}\nada\n${expires}`
    return {
      user: 'ada',
      expires,
      proof: createHmac('sha256', secret(age, 'identity')).update(text).digest('hex'),
    }
  }
  const refused = (answer: { readonly status: number; readonly body: { readonly code?: string } }) =>
    [answer.status, answer.body.code] as const

  test('keys of sites, trainers and operators: while both are configured both are taken, then the old one is unknown', async () => {
    const attempts = (api: Api, age: Age) =>
      Promise.all([
        page(api, age, 'visitors', {}),
        api.push('GET', '/v1/models', undefined, secret(age, 'push')),
        api.admin('GET', '/v1/items/none', undefined, secret(age, 'admin')),
      ])
    const statuses = async (api: Api, age: Age) => (await attempts(api, age)).map(({ status }) => status)
    for (const age of ['old', 'new'] as const) expect(await statuses(during, age)).toEqual([201, 200, 404])
    expect(await statuses(before, 'old')).toEqual([201, 200, 404])
    expect(await statuses(after, 'new')).toEqual([201, 200, 404])
    for (const [api, age] of [
      [before, 'new'],
      [after, 'old'],
    ] as const)
      for (const answer of await attempts(api, age)) expect(refused(answer)).toEqual([401, 'KEY_UNKNOWN'])
  })

  test('visitors: handles of before are taken during, those made during are signed anew and outlive the old secret', async () => {
    const own = await newVisitor(before, 'old')
    const list = (api: Api, age: Age, visitor: string) =>
      page(api, age, 'visitors/export', { visitor }).then(refused)
    expect(await list(during, 'old', own)).toEqual([200, undefined])
    expect(await list(after, 'new', own)).toEqual([403, 'VISITOR_FORGED'])
    const fresh = await newVisitor(during, 'old')
    expect(await list(after, 'new', fresh)).toEqual([200, undefined])
    expect(await list(before, 'old', fresh)).toEqual([403, 'VISITOR_FORGED'])
  })

  test('users: proofs by both secrets of the site’s server are taken during, and lead to the same visitor', async () => {
    const identify = (api: Api, age: Age, by: Age) =>
      page<{ visitor: string }>(api, age, 'visitors/identify', proof(by))
    const [one, other] = [await identify(during, 'new', 'old'), await identify(during, 'new', 'new')]
    expect([one.status, other.status, other.body.visitor]).toEqual([200, 200, one.body.visitor])
    expect(refused(await identify(after, 'new', 'old'))).toEqual([403, 'IDENTITY_UNPROVEN'])
    expect(refused(await identify(before, 'old', 'new'))).toEqual([403, 'IDENTITY_UNPROVEN'])
  })

  test('models: epochs signed by the old and by the new key of the trainer are taken during', async () => {
    const push = async (api: Api, age: Age, by: Age, epoch: number) => {
      for (const [role, bytes] of world.artifact.files) {
        const digest = world.artifact.manifest.files[role]?.sha256 ?? ''
        await api.push('PUT', `/v1/models/files/${digest}`, Uint8Array.from(bytes), secret(age, 'push'))
      }
      const body = await signers[by].sign({ ...world.artifact.manifest, epoch }, 'attune-manifest+jws')
      return refused(await api.push('PUT', `/v1/models/${epoch}`, body, secret(age, 'push')))
    }
    expect(await push(during, 'old', 'old', 1)).toEqual([200, undefined])
    expect(await push(during, 'new', 'new', 2)).toEqual([200, undefined])
    expect(await push(after, 'new', 'old', 3)).toEqual([401, 'ARTIFACT_SIGNATURE_INVALID'])
    expect(await push(before, 'old', 'new', 3)).toEqual([401, 'ARTIFACT_SIGNATURE_INVALID'])
  })
}
