import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { http, HttpResponse, type DefaultBodyType } from 'msw'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { databricksSubmitter, type DatabricksOptions } from './databricks.ts'
import { stepsOf } from './steps.ts'
import type { SparkEvent } from './submitter.ts'

// Answers as docs.databricks.com/api/azure/workspace documents them.

const HOST = 'https://adb-1.2.azuredatabricks.net'
const RUNS = `${HOST}/api/2.2/jobs/runs`
const server = setupServer()
beforeAll(() => server.listen({ onUnhandledFrame: 'error' }))
afterEach(() => server.resetHandlers())
afterAll(() => server.close())

let waited: number[] = []
let clock = 0
beforeEach(() => {
  waited = []
  clock = 0
})

const options = (more: Partial<DatabricksOptions> = {}): DatabricksOptions => ({
  host: HOST,
  scripts: '/Workspace/Shared/attune/spark/',
  cluster: { id: '1125-abc' },
  key: 'submission-1',
  fetch,
  token: () => Promise.resolve('dapi-token'),
  now: () => clock,
  sleep: (ms, signal) => {
    waited.push(ms)
    clock += ms
    return signal?.aborted === true ? Promise.reject(new Error('aborted')) : Promise.resolve()
  },
  ...more,
})
const steps = () =>
  stepsOf({ source: { source: 'cosmos.oltp', endpoint: 'https://c' }, work: '/Volumes/a/b/c/' })

type State = readonly [life: string, result?: string, message?: string]
const state = ([life_cycle_state, result_state, state_message = '']: State) => ({
  life_cycle_state,
  ...(result_state && { result_state }),
  state_message,
})
const runOf = (whole: State, ...tasks: State[]) => ({
  run_id: 7,
  run_page_url: `${HOST}/jobs/1/runs/7`,
  state: state(whole),
  tasks: tasks.map((task, index) => ({
    run_id: 70 + index,
    task_key: ['prepare', 'train', 'export'][index],
    state: state(task),
  })),
})
const RUNNING = ['RUNNING'] as const
const DONE = ['TERMINATED', 'SUCCESS'] as const

/** Answers runs/get with these, the last for ever. */
function stage(...runs: ReturnType<typeof runOf>[]): {
  submitted: DefaultBodyType[]
  cancelled: DefaultBodyType[]
} {
  const seen = { submitted: [] as DefaultBodyType[], cancelled: [] as DefaultBodyType[] }
  let at = 0
  server.use(
    http.post(`${RUNS}/submit`, async ({ request }) => {
      expect(request.headers.get('authorization')).toBe('Bearer dapi-token')
      seen.submitted.push(await request.json())
      return HttpResponse.json({ run_id: 7 })
    }),
    http.get(`${RUNS}/get`, ({ request }) => {
      expect(new URL(request.url).searchParams.get('run_id')).toBe('7')
      return HttpResponse.json(runs[Math.min(at++, runs.length - 1)])
    }),
    http.get(`${RUNS}/get-output`, ({ request }) => {
      const run = new URL(request.url).searchParams.get('run_id')
      const logs =
        run === '71'
          ? 'attune: {"phase":"rebuild","iteration":1,"iterations":5,"loss":4.5,"hr20":null}\nTraceback\nJobError: x\nattune: {"error":{"code":"TRAIN_DIVERGED","message":"TRAIN_DIVERGED: iteration 1: loss is nan"}}\n'
          : 'attune: {"phase":"prepare","step":"done"}\n'
      return HttpResponse.json({ metadata: { run_id: Number(run) }, logs, logs_truncated: false })
    }),
    http.post(`${RUNS}/cancel`, async ({ request }) => {
      seen.cancelled.push(await request.json())
      return HttpResponse.json({})
    }),
  )
  return seen
}

test('three tasks in a row are one run; it is followed to its end, states and printed lines are told', async () => {
  const seen = stage(
    runOf(['PENDING'], ['PENDING'], ['BLOCKED'], ['BLOCKED']),
    runOf(RUNNING, DONE, RUNNING, ['BLOCKED']),
    runOf(DONE, DONE, DONE, DONE),
  )
  const events: SparkEvent[] = []
  await databricksSubmitter(options()).run(steps(), { onEvent: (event) => events.push(event) })
  expect(seen.submitted).toEqual([
    {
      run_name: 'attune train',
      idempotency_token: 'submission-1',
      tasks: [
        {
          task_key: 'prepare',
          existing_cluster_id: '1125-abc',
          spark_python_task: {
            python_file: '/Workspace/Shared/attune/spark/prepare.py',
            parameters: [
              '--source',
              'cosmos.oltp',
              '--endpoint',
              'https://c',
              '--output',
              '/Volumes/a/b/c/data',
            ],
          },
        },
        {
          task_key: 'train',
          depends_on: [{ task_key: 'prepare' }],
          existing_cluster_id: '1125-abc',
          spark_python_task: {
            python_file: '/Workspace/Shared/attune/spark/train.py',
            parameters: ['--input', '/Volumes/a/b/c/data', '--output', '/Volumes/a/b/c/model'],
          },
        },
        {
          task_key: 'export',
          depends_on: [{ task_key: 'train' }],
          existing_cluster_id: '1125-abc',
          spark_python_task: {
            python_file: '/Workspace/Shared/attune/spark/export.py',
            parameters: [
              '--input',
              '/Volumes/a/b/c/data',
              '--model',
              '/Volumes/a/b/c/model',
              '--output',
              '/Volumes/a/b/c/artifact',
            ],
          },
        },
      ],
    },
  ])
  const states = events.flatMap((event) => (event.type === 'state' ? [`${event.step} ${event.state}`] : []))
  expect(states).toEqual([
    'prepare pending',
    'train blocked',
    'export blocked',
    'prepare success',
    'train running',
    'train success',
    'export success',
  ])
  expect(events).toContainEqual({
    type: 'line',
    step: 'prepare',
    line: 'attune: {"phase":"prepare","step":"done"}',
  })
  expect(waited).toEqual([10_000, 10_000])
})

test('a task that failed is named with the job’s own reason and the page to look at', async () => {
  stage(runOf(RUNNING, DONE, ['TERMINATED', 'FAILED', 'Workload failed'], ['TERMINATED', 'UPSTREAM_FAILED']))
  await expect(databricksSubmitter(options()).run(steps())).rejects.toMatchObject({
    code: 'SPARK_JOB_FAILED',
    message: `train: FAILED, TRAIN_DIVERGED: iteration 1: loss is nan; see ${HOST}/jobs/1/runs/7`,
  })
})

test('a cluster that could not be had fails with what Databricks says, not with an empty log', async () => {
  stage(
    runOf(['INTERNAL_ERROR', 'FAILED', 'x'], ['INTERNAL_ERROR', 'FAILED', 'Cluster failed to launch: quota']),
  )
  server.use(http.get(`${RUNS}/get-output`, () => HttpResponse.json({ metadata: {} })))
  await expect(databricksSubmitter(options()).run(steps())).rejects.toMatchObject({
    code: 'SPARK_JOB_FAILED',
    message: expect.stringContaining('Cluster failed to launch: quota') as string,
  })
})

test('an aborted run is cancelled at Databricks', async () => {
  const seen = stage(runOf(RUNNING, RUNNING))
  const controller = new AbortController()
  const run = databricksSubmitter(options()).run(steps(), {
    signal: controller.signal,
    onEvent: () => controller.abort(),
  })
  await expect(run).rejects.toMatchObject({ code: 'SPARK_ABORTED' })
  expect(seen.cancelled).toEqual([{ run_id: 7 }])
})

test('a run that outlives its time is cancelled', async () => {
  const seen = stage(runOf(RUNNING, RUNNING))
  await expect(databricksSubmitter(options({ timeoutMs: 60_000 })).run(steps())).rejects.toMatchObject({
    code: 'SPARK_TIMED_OUT',
    message: 'run 7: not ended after 1 minutes',
  })
  expect(seen.cancelled).toEqual([{ run_id: 7 }])
})

test('429 is waited for as long as asked, 503 with growing pauses; a submission is repeated with its key', async () => {
  const seen = stage(runOf(DONE, DONE, DONE, DONE))
  let tries = 0
  server.use(
    http.post(`${RUNS}/submit`, async ({ request }) => {
      const body = (await request.json()) as { idempotency_token: string }
      seen.submitted.push(body.idempotency_token)
      tries++
      if (tries === 1)
        return HttpResponse.json(
          { error_code: 'RESOURCE_EXHAUSTED' },
          { status: 429, headers: { 'retry-after': '7' } },
        )
      return tries < 4 ? new HttpResponse('', { status: 503 }) : HttpResponse.json({ run_id: 7 })
    }),
  )
  await databricksSubmitter(options()).run(steps())
  expect(waited).toEqual([7_000, 2_000, 4_000])
  expect(seen.submitted).toEqual(Array(4).fill('submission-1'))
})

test('401, 400 and no JSON each have a code and say what Databricks said', async () => {
  const answer = (response: () => Response) => {
    server.use(http.post(`${RUNS}/submit`, response))
    return databricksSubmitter(options()).run(steps())
  }
  await expect(
    answer(() =>
      HttpResponse.json(
        { error_code: 'PERMISSION_DENIED', message: 'no access to cluster' },
        { status: 403 },
      ),
    ),
  ).rejects.toMatchObject({
    code: 'SPARK_UNAUTHORIZED',
    message: expect.stringContaining('403, PERMISSION_DENIED: no access to cluster') as string,
  })
  await expect(
    answer(() =>
      HttpResponse.json(
        { error_code: 'INVALID_PARAMETER_VALUE', message: 'no such cluster' },
        { status: 400 },
      ),
    ),
  ).rejects.toMatchObject({ code: 'SPARK_REFUSED' })
  await expect(answer(() => HttpResponse.html('<html>sign in</html>'))).rejects.toMatchObject({
    code: 'SPARK_UNREACHABLE',
    message: expect.stringContaining('expected a JSON object') as string,
  })
})

test('an artifact is copied out of a volume, folder by folder and page by page', async () => {
  const files: Record<string, string> = {
    '/Volumes/a/b/c/artifact/epochs/1/manifest.json': '{}',
    '/Volumes/a/b/c/artifact/files/aa': 'A',
    '/Volumes/a/b/c/artifact/files/b b': 'B',
  }
  server.use(
    http.get(`${HOST}/api/2.0/fs/directories/*`, ({ request }) => {
      const url = new URL(request.url)
      const folder = decodeURIComponent(url.pathname.slice('/api/2.0/fs/directories'.length))
      const inside = Object.keys(files).filter((path) => path.startsWith(`${folder}/`))
      if (inside.length === 0)
        return HttpResponse.json({ error_code: 'NOT_FOUND', message: 'no such directory' }, { status: 404 })
      const names = [...new Set(inside.map((path) => path.slice(folder.length + 1).split('/')[0] ?? ''))]
      const page = Number(url.searchParams.get('page_token') ?? 0)
      const name = names[page] ?? ''
      const path = `${folder}/${name}`
      return HttpResponse.json({
        contents: [{ path, name, is_directory: files[path] === undefined }],
        ...(page + 1 < names.length && { next_page_token: String(page + 1) }),
      })
    }),
    http.get(`${HOST}/api/2.0/fs/files/*`, ({ request }) => {
      const path = decodeURIComponent(new URL(request.url).pathname.slice('/api/2.0/fs/files'.length))
      return new HttpResponse(files[path] ?? '', { status: files[path] === undefined ? 404 : 200 })
    }),
  )
  const folder = await mkdtemp(join(tmpdir(), 'attune-databricks-'))
  try {
    const submitter = databricksSubmitter(options())
    await submitter.collect('/Volumes/a/b/c/artifact/', folder)
    expect(await readFile(join(folder, 'epochs', '1', 'manifest.json'), 'utf8')).toBe('{}')
    expect(await readFile(join(folder, 'files', 'b b'), 'utf8')).toBe('B')
    await expect(submitter.collect('/Volumes/a/b/c/none', folder)).rejects.toMatchObject({
      code: 'SPARK_RESULT_MISSING',
    })
    await expect(submitter.collect('/tmp/x', folder)).rejects.toMatchObject({ code: 'SPARK_OPTION_INVALID' })
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
