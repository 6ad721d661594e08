import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { run } from './python.ts'

/** What `wrangler deploy --dry-run` says of one environment. */
export interface DryRun {
  /** What is wrong; warnings count, because an unknown setting is only a warning to wrangler. */
  readonly problems: readonly string[]
  /** Size of the upload, gzip, in KiB. */
  readonly gzipKiB: number
  readonly output: string
}

const require = createRequire(import.meta.url)
const WRANGLER = join(dirname(require.resolve('wrangler/package.json')), 'bin', 'wrangler.js')

/**
 * Bundles a Worker as a deployment would, and sends nothing.
 *
 * @param environment - undefined: the top level
 */
export async function dryRun(config: string, environment: string | undefined): Promise<DryRun> {
  const outdir = await mkdtemp(join(tmpdir(), 'attune-wrangler-'))
  // An empty name chooses the top level without a question.
  const args = ['deploy', '--dry-run', '--config', config, '--outdir', outdir, '--env', environment ?? '']
  try {
    const text = await run(process.execPath, [WRANGLER, ...args], '', {
      cwd: dirname(config),
      env: {
        WRANGLER_SEND_METRICS: 'false',
        WRANGLER_LOG_PATH: join(outdir, 'log'),
        FORCE_COLOR: '0',
        CI: 'true',
        // Warnings go to standard error: brought together in one stream, so that none is lost.
        WRANGLER_LOG: 'log',
      },
      mergeErrors: true,
    })
    const output = stripVTControlCharacters(text)
    const gzip = /gzip: ([\d.]+) KiB/.exec(output)?.[1]
    return {
      problems: output.split('\n').filter((line) => /\[(WARNING|ERROR)\]/.test(line)),
      gzipKiB: Number(gzip),
      output,
    }
  } catch (error) {
    const output = stripVTControlCharacters(String(error))
    return { problems: [output], gzipKiB: NaN, output }
  } finally {
    await rm(outdir, { recursive: true, force: true })
  }
}

/** Writes a small Worker with a configuration of its own, for mistakes; bundling the edge takes seconds. */
export async function withSmallWorker<T>(
  config: Readonly<Record<string, unknown>>,
  action: (configFile: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'attune-worker-'))
  try {
    await writeFile(
      join(folder, 'worker.js'),
      "import { DurableObject } from 'cloudflare:workers'\n" +
        'export class ModelLog extends DurableObject {}\n' +
        "export default { fetch: () => new Response('ok') }\n",
    )
    await writeFile(join(folder, 'wrangler.jsonc'), JSON.stringify(config))
    return await action(join(folder, 'wrangler.jsonc'))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
