import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Binaries, Program } from './binaries.ts'
import { issue, makeAuthority } from './certificates.ts'

const execute = promisify(execFile)
const START_TIMEOUT_MS = 120_000

/** A Kubernetes control plane on the loopback interface, with nodes that kwok plays. */
export interface ControlPlane {
  /** Runs kubectl; standard output. @throws {Error} with what kubectl said */
  readonly kubectl: (args: readonly string[], input?: string) => Promise<Said>
  /** An object or list as the API server has it. */
  readonly get: <T>(...args: string[]) => Promise<T>
  /** Starts one more program, which ends with the others. */
  readonly start: (program: Program, flags: Flags, env?: Readonly<Record<string, string>>) => Promise<void>
  /** What a program printed so far. */
  readonly log: (program: Program) => Promise<string>
  /** A file with which a program may do anything. */
  readonly kubeconfig: string
  /** Gone with the control plane. */
  readonly folder: string
  /** Stops everything and forgets it. */
  readonly close: () => Promise<void>
}

export type Flags = Readonly<Record<string, string | number | boolean>>

export interface Said {
  readonly out: string
  /** Standard error: the server's warnings among it. */
  readonly err: string
}

/** Starts etcd, the API server, controllers, the scheduler and kwok. */
export async function startControlPlane(binaries: Binaries): Promise<ControlPlane> {
  const folder = await mkdtemp(join(tmpdir(), 'attune-cluster-'))
  const children: ChildProcess[] = []
  const close = async (): Promise<void> => {
    for (const child of children.reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      const exit = once(child, 'exit')
      child.kill('SIGTERM')
      const late = setTimeout(() => child.kill('SIGKILL'), 5_000)
      await exit
      clearTimeout(late)
    }
    await rm(folder, { recursive: true, force: true })
  }
  const logOf = (program: Program): string => join(folder, `${program}.log`)
  const start: ControlPlane['start'] = async (program, flags, env = {}) => {
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`)
    const log = await open(logOf(program), 'w')
    children.push(
      spawn(binaries[program], args, {
        stdio: ['ignore', log.fd, log.fd],
        cwd: folder,
        env: { ...process.env, ...env },
      }),
    )
    await log.close()
  }
  try {
    const [etcd = 0, peer = 0, secure = 0, controllers = 0, scheduler = 0] = await freePorts(5)
    const at = (port: number) => `http://127.0.0.1:${port}`
    const token = randomBytes(16).toString('hex')
    const kubeconfig = join(folder, 'kubeconfig.json')
    const key = generateKeyPairSync('rsa', { modulusLength: 2048 })
    await writeFile(
      join(folder, 'accounts.key'),
      key.privateKey.export({ type: 'pkcs1', format: 'pem' }) as string,
    )
    await writeFile(join(folder, 'tokens.csv'), `${token},admin,admin,system:masters\n`)
    await writeFile(kubeconfig, JSON.stringify(config(`https://127.0.0.1:${secure}`, token)))
    await start('etcd', {
      'data-dir': join(folder, 'etcd'),
      name: 'one',
      'listen-client-urls': at(etcd),
      'advertise-client-urls': at(etcd),
      'listen-peer-urls': at(peer),
      'initial-advertise-peer-urls': at(peer),
      'initial-cluster': `one=${at(peer)}`,
    })
    const accounts = join(folder, 'accounts.key')
    const clients = await makeAuthority(folder, 'clients')
    // So that servers of further APIs believe whom the API server says it asks for.
    const proxies = await makeAuthority(folder, 'front-proxy')
    const proxy = await issue(proxies, folder, 'front-proxy-client')
    await start('kube-apiserver', {
      'etcd-servers': at(etcd),
      'bind-address': '127.0.0.1',
      'advertise-address': '127.0.0.1',
      'secure-port': secure,
      'cert-dir': join(folder, 'certificates'),
      'service-account-key-file': accounts,
      'service-account-signing-key-file': accounts,
      'service-account-issuer': 'https://cluster.local',
      'authorization-mode': 'Node,RBAC',
      'token-auth-file': join(folder, 'tokens.csv'),
      'service-cluster-ip-range': '10.96.0.0/16',
      'client-ca-file': clients.cert,
      'requestheader-client-ca-file': proxies.cert,
      'requestheader-allowed-names': 'front-proxy-client',
      'requestheader-username-headers': 'X-Remote-User',
      'requestheader-group-headers': 'X-Remote-Group',
      'requestheader-extra-headers-prefix': 'X-Remote-Extra-',
      'proxy-client-cert-file': proxy.cert,
      'proxy-client-key-file': proxy.key,
    })
    const kubectl: ControlPlane['kubectl'] = async (args, input) => {
      const run = execute(binaries.kubectl, ['--kubeconfig', kubeconfig, ...args], {
        maxBuffer: 50_000_000,
      })
      if (input !== undefined) run.child.stdin?.end(input)
      const { stdout, stderr } = await run
      return { out: stdout, err: stderr }
    }
    await ready(() => kubectl(['get', '--raw', '/readyz']), logOf('kube-apiserver'))
    await start('kube-controller-manager', {
      kubeconfig,
      'service-account-private-key-file': accounts,
      'use-service-account-credentials': true,
      'secure-port': controllers,
      'bind-address': '127.0.0.1',
      'cert-dir': join(folder, 'controllers'),
      'leader-elect': false,
      // Decisions every 2 s instead of every 15 s: the same arithmetic, sooner.
      'horizontal-pod-autoscaler-sync-period': '2s',
      'horizontal-pod-autoscaler-initial-readiness-delay': '1s',
      'horizontal-pod-autoscaler-cpu-initialization-period': '1s',
    })
    await start('kube-scheduler', {
      kubeconfig,
      'secure-port': scheduler,
      'bind-address': '127.0.0.1',
      'cert-dir': join(folder, 'scheduler'),
      'leader-elect': false,
    })
    await start('kwok', { kubeconfig, 'manage-all-nodes': true, 'node-lease-duration-seconds': 40 })
    return {
      kubectl,
      get: async <T>(...args: string[]) =>
        JSON.parse((await kubectl(['get', ...args, '-o', 'json'])).out) as T,
      start,
      log: (program) => readFile(logOf(program), 'utf8'),
      kubeconfig,
      folder,
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

async function ready(ask: () => Promise<unknown>, log: string): Promise<void> {
  const until = Date.now() + START_TIMEOUT_MS
  for (;;) {
    try {
      await ask()
      return
    } catch (error) {
      if (Date.now() > until)
        throw new Error(`the API server did not start: ${(await readFile(log, 'utf8')).slice(-2_000)}`, {
          cause: error,
        })
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
  }
}

export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}

function config(server: string, token: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'here', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'admin', user: { token } }],
    contexts: [{ name: 'here', context: { cluster: 'here', user: 'admin' } }],
    'current-context': 'here',
  }
}
