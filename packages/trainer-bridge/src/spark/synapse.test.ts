import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { http, HttpResponse, type DefaultBodyType } from 'msw'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { stepsOf } from './steps.ts'
import type { SparkEvent } from './submitter.ts'
import { synapseSubmitter, type SynapseOptions } from './synapse.ts'

// Answers as Azure/azure-rest-api-specs, specification/synapse/data-plane, sparkJob.json documents them.

const ENDPOINT = 'https://syn-1.dev.azuresynapse.net'
const BATCHES = `${ENDPOINT}/livyApi/versions/2019-11-01-preview/sparkPools/attune/batches`
const WORK = 'abfss://training@lake.dfs.core.windows.net/attune'
const server = setupServer()
beforeAll(() => server.listen({ onUnhandledFrame: 'error' }))
afterEach(() => server.resetHandlers())
afterAll(() => server.close())

let clock = 0
let waited: number[] = []
beforeEach(() => {
  clock = 0
  waited = []
})
const talk = (token: string) => ({
  fetch,
  token: () => Promise.resolve(token),
  sleep: (ms: number) => {
    waited.push(ms)
    clock += ms
    return Promise.resolve()
  },
})
const options = (more: Partial<SynapseOptions> = {}): SynapseOptions => ({
  endpoint: `${ENDPOINT}/`,
  pool: 'attune',
  scripts: 'abfss://training@lake.dfs.core.windows.net/spark',
  storage: talk('storage-token'),
  now: () => clock,
  ...talk('synapse-token'),
  ...more,
})
const steps = () => stepsOf({ source: { source: 'cosmos.oltp' }, work: WORK })

interface Batch {
  readonly state: string
  readonly result?: string
  readonly log?: readonly string[]
  readonly errorInfo?: readonly {
    readonly message: string
    readonly errorCode: string
    readonly source: string
  }[]
}

/** Batches 1, 2, 3 …: each goes through its states, one a request. */
function stage(...batches: Batch[][]): { created: DefaultBodyType[]; deleted: string[] } {
  const seen = { created: [] as DefaultBodyType[], deleted: [] as string[] }
  const at = new Map<string, number>()
  const answer = (id: string) => {
    const states = batches[Number(id) - 1] ?? []
    const index = at.get(id) ?? 0
    at.set(id, index + 1)
    return HttpResponse.json({ id: Number(id), ...states[Math.min(index, states.length - 1)] })
  }
  server.use(
    http.post(BATCHES, async ({ request }) => {
      expect(request.headers.get('authorization')).toBe('Bearer synapse-token')
      expect(new URL(request.url).searchParams.get('detailed')).toBe('true')
      seen.created.push(await request.json())
      return answer(String(seen.created.length))
    }),
    http.get(`${BATCHES}/:id`, ({ params }) => answer(String(params['id']))),
    http.delete(`${BATCHES}/:id`, ({ params }) => {
      seen.deleted.push(String(params['id']))
      return new HttpResponse(null, { status: 200 })
    }),
  )
  return seen
}
const GOOD: Batch[] = [
  { state: 'starting', result: 'Uncertain' },
  { state: 'success', result: 'Succeeded' },
]

test('one batch follows the other; states and new lines of the log are told once', async () => {
  const seen = stage(
    [
      { state: 'not_started', result: 'Uncertain', log: [] },
      { state: 'running', result: 'Uncertain', log: ['one'] },
      { state: 'running', result: 'Uncertain', log: ['one', 'two'] },
      { state: 'success', result: 'Succeeded', log: ['one', 'two'] },
    ],
    GOOD,
    GOOD,
  )
  const events: SparkEvent[] = []
  await synapseSubmitter(options()).run(steps(), { onEvent: (event) => events.push(event) })
  expect(seen.created[0]).toEqual({
    name: 'attune-prepare',
    file: 'abfss://training@lake.dfs.core.windows.net/spark/prepare.py',
    args: ['--source', 'cosmos.oltp', '--output', `${WORK}/data`],
    pyFiles: ['abfss://training@lake.dfs.core.windows.net/spark/attune_spark.zip'],
    conf: { 'spark.dynamicAllocation.enabled': 'false' },
    driverMemory: '56g',
    driverCores: 8,
    executorMemory: '56g',
    executorCores: 8,
    numExecutors: 2,
  })
  expect(seen.created.map((body) => (body as { name: string }).name)).toEqual([
    'attune-prepare',
    'attune-train',
    'attune-export',
  ])
  const told = events.flatMap((event) =>
    event.step !== 'prepare' ? [] : [event.type === 'state' ? event.state : event.line],
  )
  expect(told).toEqual(['not_started', 'running', 'one', 'two', 'success'])
})

test('a batch that died says why, and no further one is started', async () => {
  const seen = stage([
    { state: 'running', result: 'Uncertain' },
    {
      state: 'dead',
      result: 'Failed',
      errorInfo: [{ message: 'no cores left', errorCode: 'LIVY_JOB_CAPACITY', source: 'System' }],
    },
  ])
  await expect(synapseSubmitter(options()).run(steps())).rejects.toMatchObject({
    code: 'SPARK_JOB_FAILED',
    message: expect.stringContaining('prepare, batch 1: Failed, LIVY_JOB_CAPACITY no cores left') as string,
  })
  expect(seen.created).toHaveLength(1)
})

test('an aborted batch is deleted, one that outlives its time too', async () => {
  const seen = stage([{ state: 'running' }], [{ state: 'running' }])
  const controller = new AbortController()
  const run = synapseSubmitter(options()).run(steps(), {
    signal: controller.signal,
    onEvent: () => controller.abort(),
  })
  await expect(run).rejects.toMatchObject({ code: 'SPARK_ABORTED' })
  await expect(synapseSubmitter(options({ timeoutMs: 25_000 })).run(steps())).rejects.toMatchObject({
    code: 'SPARK_TIMED_OUT',
  })
  expect(seen.deleted).toEqual(['1', '2'])
})

test('a batch whose creation was not answered is not created twice', async () => {
  let tries = 0
  server.use(
    http.post(BATCHES, () => {
      tries++
      return new HttpResponse('', { status: 502 })
    }),
  )
  await expect(synapseSubmitter(options()).run(steps())).rejects.toMatchObject({ code: 'SPARK_UNREACHABLE' })
  expect(tries).toBe(1)
})

test('an artifact is copied out of the lake with the lake’s own token, page by page', async () => {
  const files: Record<string, string> = {
    'attune/artifact/epochs/1/manifest.json': '{}',
    'attune/artifact/files/aa': 'A',
  }
  server.use(
    http.get('https://lake.dfs.core.windows.net/training', ({ request }) => {
      expect(request.headers.get('authorization')).toBe('Bearer storage-token')
      const query = new URL(request.url).searchParams
      expect([query.get('resource'), query.get('recursive')]).toEqual(['filesystem', 'true'])
      if (query.get('directory') !== 'attune/artifact')
        return HttpResponse.json(
          { error: { code: 'PathNotFound', message: 'no such path' } },
          { status: 404 },
        )
      return query.get('continuation') === null
        ? HttpResponse.json(
            {
              paths: [
                { name: 'attune/artifact/epochs', isDirectory: 'true' },
                { name: 'attune/artifact/epochs/1/manifest.json', contentLength: '2' },
                { name: 'attune/artifact/../../out', contentLength: '2' },
              ],
            },
            { headers: { 'x-ms-continuation': 'next' } },
          )
        : HttpResponse.json({ paths: [{ name: 'attune/artifact/files/aa', contentLength: '1' }] })
    }),
    http.get('https://lake.dfs.core.windows.net/training/*', ({ request }) => {
      const path = decodeURIComponent(new URL(request.url).pathname.slice('/training/'.length))
      return new HttpResponse(files[path] ?? '', { status: files[path] === undefined ? 404 : 200 })
    }),
  )
  const folder = await mkdtemp(join(tmpdir(), 'attune-synapse-'))
  try {
    const submitter = synapseSubmitter(options())
    await submitter.collect(`${WORK}/artifact`, folder)
    expect(await readFile(join(folder, 'epochs', '1', 'manifest.json'), 'utf8')).toBe('{}')
    expect(await readFile(join(folder, 'files', 'aa'), 'utf8')).toBe('A')
    await expect(submitter.collect(`${WORK}/none`, folder)).rejects.toMatchObject({
      code: 'SPARK_RESULT_MISSING',
    })
    await expect(submitter.collect('/somewhere', folder)).rejects.toMatchObject({
      code: 'SPARK_OPTION_INVALID',
    })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
