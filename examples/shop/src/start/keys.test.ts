import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { KEYS_FILE, loadOrCreateKeys } from './keys.ts'

test('keys are made once, each another, for their owner alone; a folder of before there was a live page gets its key', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'attune-keys-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const made = await loadOrCreateKeys(folder)
  expect(await loadOrCreateKeys(folder)).toEqual(made)
  const { signing: _, ...secrets } = made
  expect(new Set(Object.values(secrets)).size).toBe(5)
  const file = join(folder, KEYS_FILE)
  expect((await stat(file)).mode & 0o077).toBe(0)
  const { admin: __, ...before } = secrets
  await writeFile(file, JSON.stringify(before))
  const upgraded = await loadOrCreateKeys(folder)
  expect(upgraded).toMatchObject(before)
  expect(upgraded.admin.length).toBeGreaterThan(16)
  expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ admin: upgraded.admin })
})
