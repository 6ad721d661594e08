import { readdir, readFile } from 'node:fs/promises'

/** CPU time of all threads of a process so far, microseconds. Linux. */
export async function cpuMicroseconds(pid: number): Promise<number> {
  let nanoseconds = 0
  for (const task of await readdir(`/proc/${pid}/task`)) {
    const text = await readFile(`/proc/${pid}/task/${task}/schedstat`, 'utf8').catch(() => '0')
    nanoseconds += Number(text.split(' ')[0])
  }
  return nanoseconds / 1_000
}

/** Memory a process has in RAM now, megabytes (2^20). Linux. */
export async function residentMegabytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1_024
}
