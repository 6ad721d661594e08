import { link, readFile, rm, writeFile } from 'node:fs/promises'
import { BridgeError } from '../error.ts'

/**
 * Takes a lock file for this process; one of a process that is gone is taken over. A number alone does not tell a
 * process: in a container everyone is process 1, before and after a kill. So the file also says when the process
 * started, and in which boot of the machine, where the system tells.
 *
 * @throws {BridgeError} `STATE_LOCKED` while another process has it
 */
export async function lock(path: string): Promise<void> {
  const own = `${path}.${process.pid}`
  const identity = (await identityOf(process.pid)) ?? String(process.pid)
  await writeFile(own, identity)
  try {
    for (let attempt = 0; attempt < 3; attempt++) {
      // A link appears with its content: nobody can read a lock that is not written yet.
      const taken = await link(own, path).then(
        () => true,
        (error: NodeJS.ErrnoException) => {
          if (error.code === 'EEXIST') return false
          throw error
        },
      )
      if (taken) return
      const holder = await readFile(path, 'utf8').catch(() => '')
      const pid = Number(holder.split(' ')[0])
      if (holder !== '' && (await identityOf(pid)) === holder) {
        throw new BridgeError(
          'STATE_LOCKED',
          pid === process.pid
            ? `${path}: this process uses the folder already; close that bridge first`
            : `${path}: process ${pid} uses this folder; stop it or choose another folder`,
        )
      }
      await rm(path, { force: true })
    }
  } finally {
    await rm(own, { force: true })
  }
  throw new BridgeError('STATE_LOCKED', `${path}: another process took the folder at the same moment`)
}

/** What tells a living process from all others there ever were on this machine; undefined when it is gone. */
async function identityOf(pid: number): Promise<string | undefined> {
  if (!isAlive(pid)) return undefined
  try {
    const [stat, boot] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'utf8'),
      readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
    ])
    // proc(5): the name in parentheses may hold anything; after it come the state and, 20th, the start time.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    // Killed, but its parent has not asked for its exit code yet: it holds nothing any more.
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined
    return `${pid} ${fields[19]} ${boot.trim()}`
  } catch {
    return String(pid)
  }
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid < 1) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
