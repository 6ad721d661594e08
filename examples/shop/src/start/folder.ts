import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { KEYS_FILE, SIGNING_KEY_FILE } from './keys.ts'
import { StartError } from './options.ts'

const LOCK = 'running.pid'

/**
 * Takes a data folder for this process; makes it when it is missing.
 *
 * @param reset - forget what it holds
 * @returns gives it back
 * @throws {StartError} `ALREADY_RUNNING`; `NOT_OUR_FOLDER` when it holds something that did not come from here
 */
export async function takeFolder(folder: string, reset: boolean): Promise<() => Promise<void>> {
  await mkdir(folder, { recursive: true })
  const names = await readdir(folder)
  if (names.length > 0 && ![KEYS_FILE, LOCK, SIGNING_KEY_FILE].some((name) => names.includes(name))) {
    throw new StartError(
      'NOT_OUR_FOLDER',
      `${folder} is not empty and holds no data of the shop; name another with --data, or empty it`,
    )
  }
  const lock = join(folder, LOCK)
  const holder = Number(await readFile(lock, 'utf8').catch(() => ''))
  if (holder > 0 && holder !== process.pid && (await isStart(holder))) {
    throw new StartError(
      'ALREADY_RUNNING',
      `the shop is already running on ${folder} (process ${holder}); stop it with Ctrl-C, or use another folder with --data`,
    )
  }
  if (reset) for (const name of names) await rm(join(folder, name), { recursive: true, force: true })
  await writeFile(lock, String(process.pid))
  return () => rm(lock, { force: true })
}

/** Whether a process is alive and is a start of the shop: numbers are used again. */
async function isStart(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => undefined)
  return command === undefined || command.includes('start')
}
