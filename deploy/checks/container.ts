import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { chmod, copyFile, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { Container, PodSpec } from './manifests.ts'

// A container without an engine: the image's files as the root of a process with namespaces of its own, and the user,
// read-only root, volumes, command and working directory that the manifest names. Not here: cgroup limits, seccomp, a
// network of its own.

const execute = promisify(execFile)

/** Whether this machine lets us: Linux, root, mount and process namespaces. */
export async function canContain(): Promise<boolean> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  return execute('unshare', ['--mount', '--pid', '--fork', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).then(
    () => true,
    () => false,
  )
}

/**
 * Puts a root file system together: what a base image would bring (this Node, the libraries it is linked with, names of
 * users, certificates of none) and the image's own files as `/app`.
 */
export async function makeRoot(root: string): Promise<void> {
  const folders = ['app', 'proc', 'tmp', 'usr/local/bin', 'etc', 'dev']
  for (const folder of folders) await mkdir(join(root, folder), { recursive: true })
  await chmod(root, 0o755)
  const node = join(root, 'usr/local/bin/node')
  await copyFile(process.execPath, node)
  await chmod(node, 0o755)
  const { stdout } = await execute('ldd', [process.execPath])
  for (const [path] of stdout.matchAll(/\/\S+/g)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await copyFile(path, join(root, path))
  }
  await symlink('/usr/local/bin', join(root, 'bin'))
  await writeFile(join(root, 'etc/passwd'), 'root:x:0:0::/:/sbin/nologin\n')
  // Names are looked up here first; the sandbox has no resolver of its own.
  await writeFile(join(root, 'etc/hosts'), '127.0.0.1 localhost\n')
}

export interface ContainerOptions {
  readonly root: string
  /** The image's files, shown as /app, where the root does not have them. */
  readonly image?: string
  readonly pod: PodSpec
  readonly container: Container
  readonly env: Readonly<Record<string, string>>
  /** Folders that stand for the volume claims, by name of the volume. */
  readonly claims: Readonly<Record<string, string>>
}

export interface RunningContainer {
  readonly child: ChildProcess
  readonly output: () => string
  /** To process 1 of the container, as the kubelet sends it. */
  readonly signal: (name: NodeJS.Signals) => Promise<void>
  readonly privileges?: () => Promise<Privileges>
}

/** What process 1 of a container may do. */
export interface Privileges {
  readonly user: number
  /** Effective capabilities, a bit each. */
  readonly capabilities: bigint
  readonly noNewPrivileges: boolean
  readonly readOnlyRoot: boolean
}

async function firstProcess({ pid }: ChildProcess, output: string): Promise<number> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  const [first = ''] = children.trim().split(' ')
  if (first === '') throw new Error(`process 1 is not there: ${output}`)
  return Number(first)
}

/** Starts the container's own command. */
export async function startContainer(options: ContainerOptions): Promise<RunningContainer> {
  const { root, image, pod, container, env, claims } = options
  const { runAsUser = 0, runAsGroup = 0, fsGroup = runAsGroup } = pod.securityContext ?? {}
  const at = (path: string) => quote(join(root, path))
  const script = [
    'set -e',
    `mount --bind ${quote(root)} ${quote(root)}`,
    ...(image === undefined ? [] : [`mount --bind ${quote(image)} ${at('/app')}`]),
  ]
  for (const { name, mountPath } of container.volumeMounts ?? []) {
    await mkdir(join(root, mountPath), { recursive: true })
    const claim = claims[name]
    if (claim === undefined) script.push(`mount -t tmpfs -o mode=1777 tmpfs ${at(mountPath)}`)
    else {
      // As the kubelet hands a volume to fsGroup.
      script.push(`chgrp -R ${fsGroup} ${quote(claim)}`, `chmod -R g+rwX ${quote(claim)}`)
      script.push(`chmod g+s ${quote(claim)}`, `mount --bind ${quote(claim)} ${at(mountPath)}`)
    }
  }
  script.push(`mount -t proc proc ${at('/proc')}`)
  if (container.securityContext?.readOnlyRootFilesystem === true)
    for (const path of image === undefined ? [root] : [join(root, '/app'), root])
      script.push(`mount -o remount,ro,bind ${quote(path)}`)
  const command = (container.command ?? []).map(quote).join(' ')
  const user = `--setuid=${runAsUser} --setgid=${runAsGroup}`
  script.push(
    `exec setpriv --no-new-privs unshare --root=${quote(root)} --wd=${quote(container.workingDir ?? '/')} ${user} -- ${command}`,
  )
  const child = spawn(
    'unshare',
    ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', script.join('\n')],
    {
      env: { PATH: `/usr/local/bin:${process.env['PATH'] ?? ''}`, NODE_ENV: 'production', ...env },
    },
  )
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()))
  return {
    child,
    output: () => text,
    async signal(name) {
      process.kill(await firstProcess(child, text), name)
    },
    async privileges() {
      const pid = await firstProcess(child, text)
      const status = await readFile(`/proc/${pid}/status`, 'utf8')
      const mounts = await readFile(`/proc/${pid}/mountinfo`, 'utf8')
      const field = (name: string) => new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(status)?.[1]
      return {
        user: Number(field('Uid')),
        capabilities: BigInt(`0x${field('CapEff') ?? '0'}`),
        noNewPrivileges: field('NoNewPrivs') === '1',
        // Fields 5 and 6 of a line: where it is mounted, as the process sees it, and how.
        readOnlyRoot: mounts.split('\n').some((line) => /^(\S+ ){4}\/ ro\b/.test(line)),
      }
    },
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
