import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CONTEXT, createTestApp } from '../testing/app.ts'
import { createSigner } from '../testing/artifact.ts'
import { openApiDocument } from './document.ts'
import { OPERATIONS } from './operations.ts'

const run = promisify(execFile)

let folder: string
let app: Awaited<ReturnType<typeof createTestApp>>

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attune-openapi-'))
  app = await createTestApp({ signer: await createSigner(), folder })
})

afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

test('every route of the app is described, and nothing else', () => {
  const routes = app.routes
    .filter(({ method }) => method !== 'ALL')
    .map(({ method, path }) => `${method} ${path}`)
  expect(Object.keys(OPERATIONS).toSorted()).toEqual([...new Set(routes)].toSorted())
})

test('every reference leads somewhere, and operations have ids of their own', () => {
  const document = openApiDocument()
  const text = JSON.stringify(document)
  const references = [...text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(
    ([, name = '']) => name,
  )
  expect(references.length).toBeGreaterThan(20)
  expect(references.filter((name) => document.components.schemas[name] === undefined)).toEqual([])
  expect(text).not.toContain('$defs')
  const ids = Object.values(document.paths).flatMap((methods) =>
    Object.values(methods).map(({ operationId }) => operationId),
  )
  expect(new Set(ids).size).toBe(ids.length)
})

test('limits stand in it: 100 events, 1,000 candidates, ids of 256 characters', () => {
  const { schemas } = openApiDocument().components
  expect(schemas['EventsRequest']).toMatchObject({
    required: ['batch', 'visitor', 'events'],
    properties: { events: { type: 'array', maxItems: 100, items: { $ref: '#/components/schemas/Event' } } },
  })
  expect(schemas['RankRequest']).toMatchObject({
    properties: {
      candidates: { maxItems: 1_000, items: { minLength: 1, maxLength: 256 } },
      k: { type: 'integer', minimum: 1, maximum: 200 },
    },
  })
})

test('Redocly finds nothing wrong with it', async () => {
  const file = join(folder, 'openapi.json')
  await writeFile(file, JSON.stringify(openApiDocument()))
  const config = join(folder, 'redocly.yaml')
  // Routes for anybody refuse nobody, so that they have no 4XX. `files` is no number and `activate` no digest.
  const rules = { 'operation-4xx-response': 'off', 'no-ambiguous-paths': 'off' }
  await writeFile(config, JSON.stringify({ extends: ['recommended'], rules }))
  const cli = fileURLToPath(import.meta.resolve('@redocly/cli/bin/cli.js'))
  const { stdout } = await run(process.execPath, [cli, 'lint', file, `--config=${config}`, '--format=json'], {
    env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' },
  })
  const { totals } = JSON.parse(stdout) as { totals: Record<string, number> }
  expect(totals).toMatchObject({ errors: 0, warnings: 0 })
})

test('it is served with a tag that saves sending it again, and as a page without script', async () => {
  for (const [path, type] of [
    ['/openapi.json', 'application/json'],
    ['/docs', 'text/html; charset=utf-8'],
  ] as const) {
    const get = (headers: Record<string, string> = {}) =>
      Promise.resolve(app.request(path, { headers }, {}, CONTEXT))
    const answer = await get()
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, type])
    const etag = answer.headers.get('etag') ?? ''
    const again = await get({ 'if-none-match': `"other", W/${etag}` })
    expect([again.status, await again.text()]).toEqual([304, ''])
    const text = await answer.text()
    if (path === '/openapi.json')
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(openApiDocument())))
    else {
      expect(text).not.toContain('<script')
      for (const route of Object.keys(OPERATIONS))
        expect(text).toContain(route.split(' ')[1]?.replace(/:(\w+)/g, '{$1}'))
    }
  }
})
