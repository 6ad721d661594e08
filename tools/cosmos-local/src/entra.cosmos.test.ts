import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { Agent } from 'node:https'
import { CosmosClient } from '@azure/cosmos'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startCosmosLocal, type CosmosLocal } from './start.ts'

const own = generateKeyPairSync('rsa', { modulusLength: 2048 })
const foreign = generateKeyPairSync('rsa', { modulusLength: 2048 })

/** An RS256 JWT as RFC 7515 puts it together, made here and not by the server's code. */
function token(claims: Record<string, unknown>, key: KeyObject = own.privateKey, alg = 'RS256'): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const seconds = Math.floor(Date.now() / 1_000)
  const text = `${part({ alg, typ: 'JWT' })}.${part({ aud: 'https://cosmos.azure.com', exp: seconds + 3_600, ...claims })}`
  return `${text}.${sign('RSA-SHA256', Buffer.from(text), key).toString('base64url')}`
}

let cosmos: CosmosLocal
const clients: CosmosClient[] = []

function clientOf(text: string): CosmosClient {
  const getToken = () => Promise.resolve({ token: text, expiresOnTimestamp: Date.now() + 3_600_000 })
  // The SDK sends tokens over TLS only.
  const agent = new Agent({ ca: cosmos.certificate })
  const client = new CosmosClient({ endpoint: cosmos.tlsEndpoint ?? '', aadCredentials: { getToken }, agent })
  clients.push(client)
  return client
}

beforeAll(async () => {
  cosmos = await startCosmosLocal({
    port: 0,
    tlsPort: 0,
    entra: {
      keys: [own.publicKey.export({ type: 'spki', format: 'pem' }).toString()],
      principals: { edge: { writes: 'all' }, bridge: { writes: ['leases'] } },
    },
  })
  const admin = new CosmosClient({ endpoint: cosmos.endpoint, key: cosmos.key })
  clients.push(admin)
  const { database } = await admin.databases.create({ id: 'd' })
  for (const id of ['events', 'leases']) await database.containers.create({ id, partitionKey: '/id' })
})

afterAll(async () => {
  for (const client of clients) client.dispose()
  await cosmos.close()
})

test('a principal reads everything and writes the containers of its role', async () => {
  const write = clientOf(token({ oid: 'edge' }))
    .database('d')
    .container('events')
  await write.items.create({ id: '1' })
  const bridge = clientOf(token({ oid: 'bridge' })).database('d')
  expect((await bridge.container('events').item('1', '1').read()).resource).toMatchObject({ id: '1' })
  expect(await bridge.container('events').getFeedRanges()).toHaveLength(1)
  await bridge.container('leases').items.create({ id: 'a' })
  await expect(bridge.container('events').items.create({ id: '2' })).rejects.toMatchObject({
    code: 403,
    substatus: 5302,
  })
})

test('a token makes no containers, whoever holds it', async () => {
  const database = clientOf(token({ oid: 'edge' })).database('d')
  await expect(database.containers.create({ id: 'new', partitionKey: '/id' })).rejects.toMatchObject({
    code: 403,
    substatus: 5300,
  })
})

const expired = Math.floor(Date.now() / 1_000) - 1
test.for<readonly [string, string, number]>([
  ['expired', token({ oid: 'edge', exp: expired }), 401],
  ['not valid yet', token({ oid: 'edge', nbf: expired + 3_000 }), 401],
  ['for another service', token({ oid: 'edge', aud: 'https://vault.azure.net' }), 401],
  ['signed by somebody else', token({ oid: 'edge' }, foreign.privateKey), 401],
  ['without an algorithm', token({ oid: 'edge' }, own.privateKey, 'none'), 401],
  ['of no principal', token({}), 401],
  ['cut off', token({ oid: 'edge' }).slice(0, -8), 401],
  ['no token at all', 'a.b', 401],
  ['of a principal without a role', token({ oid: 'stranger' }), 403],
])('a token that is %s is refused', async ([, text, status]) => {
  const authorization = encodeURIComponent(`type=aad&ver=1.0&sig=${text}`)
  const answer = await fetch(`${cosmos.endpoint}/dbs/d/colls/events/docs/1`, {
    headers: { authorization, 'x-ms-documentdb-partitionkey': '["1"]', 'x-ms-version': '2020-07-15' },
  })
  expect([answer.status, answer.headers.get('x-ms-request-charge')]).toEqual([status, expect.anything()])
})

test('an account without principals takes keys only', async () => {
  const other = await startCosmosLocal({ port: 0 })
  const authorization = encodeURIComponent(`type=aad&ver=1.0&sig=${token({ oid: 'edge' })}`)
  const answer = await fetch(`${other.endpoint}/dbs`, { headers: { authorization } })
  expect(answer.status).toBe(401)
  expect(await answer.text()).toContain('takes keys only')
  await other.close()
})
