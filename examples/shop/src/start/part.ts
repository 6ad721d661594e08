// A process of the shop: runs the part its parent names, until it is told to stop or the parent is gone.
import type { ClosePart, FromPart, PartName, RunPart, ToPart } from './parts.ts'

// Each process loads the code of its own part alone.
const PARTS: Readonly<Record<PartName, () => Promise<{ readonly run: RunPart }>>> = {
  cosmos: () => import('./run/cosmos.ts'),
  edge: () => import('./run/edge.ts'),
  bridge: () => import('./run/bridge.ts'),
  shop: () => import('./run/shop.ts'),
}
const CLOSE_WITHIN_MS = 8_000

const tell = (message: FromPart): void => {
  if (process.connected) process.send?.(message)
}

let close: ClosePart | undefined
let ending = false

async function end(code: number): Promise<void> {
  if (ending) return
  ending = true
  setTimeout(() => process.exit(code === 0 ? 1 : code), CLOSE_WITHIN_MS).unref()
  try {
    await close?.()
    process.exit(code)
  } catch (error) {
    console.error(error)
    process.exit(1)
  }
}

function fail(message: string): void {
  if (ending) return
  tell({ type: 'failed', message })
  void end(1)
}

// The parent decides when it is over, in which order; a signal to the whole group is its business.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => undefined)
process.on('disconnect', () => void end(0))
process.on('message', (message: ToPart) => {
  if (message.type === 'stop') {
    void end(0)
    return
  }
  const started = PARTS[message.part]().then(({ run }) => run(message.config, tell, fail))
  started.then(
    (closePart) => {
      close = closePart
      tell({ type: 'ready' })
    },
    (error: unknown) => {
      if (error instanceof Error && error.stack !== undefined) console.error(error.stack)
      fail(error instanceof Error ? error.message : String(error))
    },
  )
})
