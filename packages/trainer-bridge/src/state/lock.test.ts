import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { lock } from './lock.ts'

let folder = ''
let path = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attune-lock-'))
  path = join(folder, 'bridge.lock')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

test('a second taker is told that this process has the folder', async () => {
  await lock(path)
  await expect(lock(path)).rejects.toMatchObject({
    code: 'STATE_LOCKED',
    message: expect.stringContaining('already'),
  })
  expect(await readdir(folder)).toEqual(['bridge.lock'])
})

test('a living process keeps its lock', async () => {
  await lock(path)
  // The parent lives as long as this test; its identity is written as it would have written it.
  const [, , boot] = (await readFile(path, 'utf8')).split(' ')
  const stat = await readFile(`/proc/${process.ppid}/stat`, 'utf8')
  const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  await writeFile(path, `${process.ppid} ${started} ${boot}`)
  await expect(lock(path)).rejects.toMatchObject({ code: 'STATE_LOCKED' })
})

test('a lock of a killed process that nobody has reaped yet is taken over', async () => {
  // The shell becomes a sleep, which never asks for exit codes; only then is its child killed.
  const parent = spawn('sh', ['-c', 'sleep 60 & echo $!; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  try {
    const [line] = (await once(parent.stdout, 'data')) as [Buffer]
    const pid = Number(line.toString())
    const stat = () => readFile(`/proc/${pid}/stat`, 'utf8')
    const patience = { timeout: 20_000 }
    await expect.poll(() => readFile(`/proc/${parent.pid}/comm`, 'utf8'), patience).toBe('sleep\n')
    process.kill(pid, 'SIGKILL')
    await expect.poll(stat, patience).toContain(') Z ')
    await lock(path)
    const [, , boot] = (await readFile(path, 'utf8')).split(' ')
    const text = await stat()
    await writeFile(path, `${pid} ${text.slice(text.lastIndexOf(')') + 2).split(' ')[19]} ${boot}`)
    await lock(path)
    expect((await readFile(path, 'utf8')).startsWith(`${process.pid} `)).toBe(true)
  } finally {
    parent.kill('SIGKILL')
  }
}, 60_000)

test.each([
  ['a killed container of the same process number', () => `${process.pid} 1 another-boot`],
  ['a process that is gone', () => '999999999 1 boot'],
  ['a crash while it was written', () => ''],
])('a lock left by %s is taken over', async (_, content) => {
  await writeFile(path, content())
  await lock(path)
  expect((await readFile(path, 'utf8')).startsWith(`${process.pid} `)).toBe(true)
})
