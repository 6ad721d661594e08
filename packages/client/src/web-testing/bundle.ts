import { rollup, type OutputOptions, type RollupOptions } from 'rollup'

const scripts = new Map<string, Promise<string>>()

/** A script-tag build, exactly as `rollup.config.js` makes it, without writing it; made once. */
export function bundleScript(entry = 'iife.ts'): Promise<string> {
  const script = scripts.get(entry) ?? buildScript(entry)
  scripts.set(entry, script)
  return script
}

async function buildScript(entry: string): Promise<string> {
  const { default: configs } = (await import('../../rollup.config.js' as string)) as {
    default: RollupOptions[]
  }
  const config = configs.find((each) => each.input === `src/${entry}`)
  if (config === undefined) throw new Error(`rollup.config.js has no entry src/${entry}`)
  return bundle({ ...config, input: new URL(`../${entry}`, import.meta.url).pathname })
}

/** Any module of this package as one script that assigns its exports to `window[name]`. */
export async function bundleModule(entry: URL, name: string): Promise<string> {
  const { default: configs } = (await import('../../rollup.config.js' as string)) as {
    default: RollupOptions[]
  }
  const plugins = configs.find((each) => each.input === 'src/iife.ts')?.plugins ?? []
  return bundle({
    input: entry.pathname,
    plugins,
    output: { format: 'iife', name, inlineDynamicImports: true },
  })
}

async function bundle(config: RollupOptions): Promise<string> {
  const built = await rollup(config)
  const { output } = await built.generate({ ...(config.output as OutputOptions), sourcemap: false })
  await built.close()
  return output[0].code
}
