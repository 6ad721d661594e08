import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** WebKitGTK's MiniBrowser, which has no folder on PATH. */
export function findMiniBrowser(): string | undefined {
  const chosen = process.env['ATTUNE_MINIBROWSER']
  const libraries = [
    '/usr/lib',
    ...['x86_64', 'aarch64'].map((cpu) => `/usr/lib/${cpu}-linux-gnu`),
    '/usr/libexec',
  ]
  const found = libraries.flatMap((folder) =>
    (existsSync(folder) ? readdirSync(folder) : [])
      .filter((name) => name.startsWith('webkit'))
      .map((name) => join(folder, name, 'MiniBrowser')),
  )
  return [chosen ?? '', ...found].find((file) => file !== '' && existsSync(file))
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** As much of W3C WebDriver as the suite needs. */
export interface WebDriver {
  /** @throws Error with the driver's words */
  send<T>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: object): Promise<T>
  close(): Promise<void>
}

/**
 * WebKit, driven by WebKitWebDriver on a screen of its own.
 *
 * @see https://www.w3.org/TR/webdriver2/
 */
export async function startWebKit(driver: string, miniBrowser: string): Promise<WebDriver> {
  const port = await freePort()
  const child: ChildProcess = spawn('xvfb-run', ['-a', driver, `--port=${port}`], {
    detached: true,
    stdio: 'ignore',
  })
  const end = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // Gone already.
    }
  }
  const call = async <T>(method: string, path: string, body?: object): Promise<T> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      ...(body && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
      signal: AbortSignal.timeout(60_000),
    })
    const { value } = (await response.json()) as { value: T & { error?: string; message?: string } }
    if (!response.ok) throw new Error(`${method} ${path}: ${value.error}: ${value.message}`)
    return value
  }
  try {
    const deadline = Date.now() + 30_000
    for (;;) {
      const status = await call<{ ready: boolean }>('GET', '/status').catch(() => undefined)
      if (status) break
      if (Date.now() > deadline || child.exitCode !== null)
        throw new Error(`${driver} did not start within 30 s`)
      await sleep(100)
    }
    const { sessionId } = await call<{ sessionId: string }>('POST', '/session', {
      capabilities: {
        alwaysMatch: { 'webkitgtk:browserOptions': { binary: miniBrowser, args: ['--automation'] } },
      },
    })
    return {
      send: (method, path, body) =>
        call(method, `/session/${sessionId}${path}`, method === 'POST' ? (body ?? {}) : undefined),
      async close() {
        await call('DELETE', `/session/${sessionId}`).catch(() => {})
        end()
      },
    }
  } catch (error) {
    end()
    throw error
  }
}
