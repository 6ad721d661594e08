import { gzipSync } from 'node:zlib'
import { bundleWorker, WORKER_ENTRIES } from '@attune/edge/workerd'

interface Part {
  readonly name: string
  readonly raw: number
  readonly gzip: number
}

const MAX_SMALL_GZIP = 150_000

/**
 * `npm run bench -- bundle`: bytes of the Worker as it is uploaded, minified, raw and after gzip: with ONNX Runtime, and
 * without it (core's TypeScript ranks), which has to fit every plan.
 */
export async function run(_args: string[]): Promise<Record<string, unknown>> {
  const rows = await Promise.all(
    (['full', 'small'] as const).map(async (build) => {
      const { script, modules } = await bundleWorker(WORKER_ENTRIES[build], true)
      const parts = [
        part('worker.js', Buffer.from(script)),
        ...[...modules].map(([name, bytes]) => part(name, bytes)),
      ]
      return {
        build,
        ort: build === 'full',
        raw: parts.reduce((sum, { raw }) => sum + raw, 0),
        gzip: parts.reduce((sum, { gzip }) => sum + gzip, 0),
        parts,
      }
    }),
  )
  const small = rows.find(({ ort }) => !ort)
  if (small === undefined || small.parts.some(({ name }) => name.startsWith('ort')))
    throw new Error('the build without ONNX Runtime has it')
  return { bench: 'bundle', rows, small_limit_gzip: MAX_SMALL_GZIP, small_fits: small.gzip <= MAX_SMALL_GZIP }
}

function part(name: string, bytes: Uint8Array): Part {
  return { name, raw: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length }
}
