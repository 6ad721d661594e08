import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A page driven by nothing but the commands sent: Playwright would also have its network and console told, in the page's own time. */
export interface RawPage {
  send<Answer>(method: string, params?: object): Promise<Answer>
  /** The value of an expression, or what the promise that it is resolves to. */
  evaluate<Value>(expression: string): Promise<Value>
  close(): Promise<void>
}

/** @param profile - of a Chromium that runs and told its debugging port there */
export async function openRawPage(profile: string, url: string): Promise<RawPage> {
  const port = readFileSync(join(profile, 'DevToolsActivePort'), 'utf8').split('\n')[0]
  const base = `http://127.0.0.1:${port}/json`
  const opened = await fetch(`${base}/new?${encodeURIComponent(url)}`, { method: 'PUT' })
  const { id, webSocketDebuggerUrl } = (await opened.json()) as { id: string; webSocketDebuggerUrl: string }
  const socket = new WebSocket(webSocketDebuggerUrl)
  await once(socket, 'open')
  let last = 0
  const waiting = new Map<number, (result: unknown, error?: { message: string }) => void>()
  socket.addEventListener('message', ({ data }) => {
    const {
      id: answered,
      result,
      error,
    } = JSON.parse(String(data)) as {
      id?: number
      result?: unknown
      error?: { message: string }
    }
    if (answered === undefined) return
    waiting.get(answered)?.(result, error)
    waiting.delete(answered)
  })
  const send = <Answer>(method: string, params: object = {}): Promise<Answer> =>
    new Promise((resolve, reject) => {
      waiting.set(++last, (result, error) => {
        if (error) reject(new Error(`${method}: ${error.message}`))
        else resolve(result as Answer)
      })
      socket.send(JSON.stringify({ id: last, method, params }))
    })
  return {
    send,
    async evaluate<Value>(expression: string) {
      const { result, exceptionDetails } = await send<{
        result: { value: Value }
        exceptionDetails?: { text: string; exception?: { description?: string } }
      }>('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true })
      if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
      return result.value
    },
    async close() {
      socket.close()
      await fetch(`${base}/close/${id}`)
    },
  }
}
