import { expect, test } from 'vitest'
import { generateSigningKey } from './artifact/sign.ts'
import { readConfig } from './config.ts'

const signingKey = JSON.stringify(await generateSigningKey())
const good = {
  COSMOS_ENDPOINT: 'https://account.documents.azure.com',
  COSMOS_KEY: 'c2VjcmV0IG9mIGNvc21vcyE=',
  ATTUNE_EDGES: 'https://a.example, https://b.example',
  ATTUNE_PUSH_KEY: 'push-key-of-both-edges',
  ATTUNE_SIGNING_KEY: signingKey,
  ATTUNE_FOLDER: '/var/lib/attune',
}

test('two edges by URL share the push key; the rest has defaults', () => {
  expect(readConfig(good)).toMatchObject({
    cosmos: { database: 'attune' },
    edges: [
      { url: 'https://a.example', pushKey: 'push-key-of-both-edges' },
      { url: 'https://b.example', pushKey: 'push-key-of-both-edges' },
    ],
    start: undefined,
    deltaIntervalMs: 500,
    port: 9464,
  })
})

test('edges as JSON bring their own push keys', () => {
  const edges = [{ url: 'https://a.example', pushKey: 'a key of edge a alone' }]
  expect(readConfig({ ...good, ATTUNE_EDGES: JSON.stringify(edges) }).edges).toEqual(edges)
})

test('every problem is in one error, and no secret', () => {
  const wrong = {
    COSMOS_ENDPOINT: 'account.documents.azure.com',
    COSMOS_KEY: 'not base64!',
    ATTUNE_EDGES: 'https://a.example',
    ATTUNE_PUSH_KEY: 'short',
    ATTUNE_SIGNING_KEY: '{"kty":"OKP","d":"very-secret"}',
    ATTUNE_START: 'yesterday',
    PORT: '99999',
  }
  let message = ''
  try {
    readConfig(wrong)
  } catch (error) {
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' })
    message = (error as Error).message
  }
  for (const name of [...Object.keys(wrong), 'ATTUNE_FOLDER'].filter((name) => name !== 'ATTUNE_EDGES')) {
    expect(message).toContain(name)
  }
  expect(message).toContain('7 settings')
  for (const secret of ['not base64!', 'short,', 'very-secret']) expect(message).not.toContain(secret)
})

test('a workload identity takes the place of the key; a key beside it and any other word are refused', () => {
  const { COSMOS_KEY, ...rest } = good
  expect(readConfig({ ...rest, COSMOS_IDENTITY: 'workload' }).cosmos).toEqual({
    endpoint: 'https://account.documents.azure.com',
    identity: 'workload',
    database: 'attune',
  })
  expect(() => readConfig({ ...rest, COSMOS_KEY, COSMOS_IDENTITY: 'workload' })).toThrow(
    /COSMOS_KEY: expected no key/,
  )
  expect(() => readConfig({ ...rest, COSMOS_IDENTITY: 'managed' })).toThrow(
    /COSMOS_IDENTITY: expected workload/,
  )
})
