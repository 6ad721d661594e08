import { relative, resolve } from 'node:path'
import { Part } from './child.ts'
import { buildClient, CLIENT_FILE } from './client-build.ts'
import { takeFolder } from './folder.ts'
import { loadOrCreateKeys } from './keys.ts'
import { HELP, readOptions, StartError, type StartOptions } from './options.ts'
import { PART_TITLES, type PartConfig, type PartName, type Ports, type TrainingFacts } from './parts.ts'
import { claimPorts } from './ports.ts'
import { createScreen, table, type Screen } from './screen.ts'
import { trainingFacts } from './training-facts.ts'

/** npm hands a Ctrl-C on as a second signal; a person presses twice further apart. */
const SECOND_PRESS_MS = 500

/**
 * `npm start`: starts every part, says where the shop is, and keeps it running until Ctrl-C, a SIGTERM or the end of a
 * part.
 *
 * @returns exit code: 0 after being asked to stop, 1 when it could not start or a part was lost
 */
export async function start(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<number> {
  const screen = createScreen(process.stdout, () => performance.now())
  const running: Part[] = []
  const ending = new AbortController()
  const asked = onStop(screen, () => {
    for (const part of running) part.kill()
  })
  let release: (() => Promise<void>) | undefined
  try {
    const options = readOptions(args, env)
    if (options.help) {
      screen.say(HELP)
      return 0
    }
    const folder = resolve(options.data)
    const ports = await claimPorts(options.portBase)
    release = await takeFolder(folder, options.reset)
    if (options.reset) screen.done(`forgot what was in ${shown(folder)}`)
    await Promise.race([
      open(options, folder, ports, running, screen, ending.signal),
      asked.then(() => {
        throw STOPPED
      }),
    ])
    await Promise.race([asked, ...running.map(({ lost }) => lost)])
    return 0
  } catch (error) {
    if (error === STOPPED) return 0
    console.error(
      `\n${error instanceof StartError ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    )
    return 1
  } finally {
    ending.abort()
    if (running.length > 0) screen.busy('stopping')
    // Backwards: who writes before who stores.
    for (const part of running.reverse()) await part.stop()
    await release?.()
    if (running.length > 0) screen.done('stopped; everything is kept', false)
  }
}

const STOPPED = Symbol('asked to stop')

async function open(
  options: StartOptions,
  folder: string,
  ports: Ports,
  running: Part[],
  screen: Screen,
  signal: AbortSignal,
): Promise<void> {
  const keys = await loadOrCreateKeys(folder)
  const { shoppers, iterations } = options
  const config: PartConfig = { folder, ports, keys, shoppers, iterations, clientFile: CLIENT_FILE }
  let opened = false
  const launch = async (name: PartName): Promise<void> => {
    signal.throwIfAborted()
    const part = new Part(name, config, {
      progress: ({ text, share, secondsLeft }) => {
        screen.busy(text, share, secondsLeft)
      },
      note: (text) => {
        // Before everything is up, parts ask each other in vain now and then; that is no news.
        if (opened || options.verbose) screen.warn(`${PART_TITLES[name]}: ${text}`)
      },
      line: (text) => {
        if (options.verbose) screen.say(`[${name}] ${text}`)
      },
    })
    running.push(part)
    await part.ready()
    if (name !== 'bridge') screen.done(`${PART_TITLES[name]} ready`)
  }
  const trained = await trainingFacts(folder).catch(() => undefined)
  screen.busy('building the client, starting the parts')
  const client = buildClient().then(() => {
    screen.done('client built')
  })
  const cosmos = launch('cosmos')
  const edge = launch('edge')
  const bridge = cosmos
    .then(() => launch('bridge'))
    .then(async () => {
      screen.done(`model serving${boast(await trainingFacts(folder))}`)
    })
  // Its pages tell what the first model was trained on.
  const shop = Promise.all([client, trained === undefined ? bridge : cosmos]).then(() => launch('shop'))
  await Promise.all([client, cosmos, edge, bridge, shop])
  opened = true
  screen.say(
    `\n${overview(ports, shown(folder), running)}\n\n  Open http://localhost:${ports.shop}\n\n  Ctrl-C ends everything; data is kept. npm start -- --help for more.\n`,
  )
}

function boast({ clicks, goods, hr20 }: TrainingFacts): string {
  const learnt = `first trained on ${clicks.toLocaleString('en')} made-up clicks`
  if (hr20 === null) return `; ${learnt}`
  return `; ${learnt}, finds the next one of visits it had not seen among its first 20 of ${goods.toLocaleString('en')} goods in ${Math.round(hr20 * 100)} %`
}

function overview(ports: Ports, folder: string, running: readonly Part[]): string {
  const at = (port: number) => `http://127.0.0.1:${port}`
  const pid = (name: PartName) => String(running.find((part) => part.name === name)?.pid ?? '')
  return table([
    ['part', 'address', 'process', 'data'],
    [PART_TITLES.shop, `http://localhost:${ports.shop}`, pid('shop'), 'none; the basket is in the browser'],
    [PART_TITLES.edge, at(ports.edge), pid('edge'), `${folder}/edge: models`],
    ['  its live page', `${at(ports.edge)}/studio`, '', `key: "admin" in ${folder}/keys.json`],
    [PART_TITLES.cosmos, at(ports.cosmos), pid('cosmos'), `${folder}/cosmos: clicks`],
    ['  its data explorer', at(ports.explorer), '', ''],
    [PART_TITLES.bridge, 'reads the change feed', pid('bridge'), `${folder}/bridge: factors, counts, epochs`],
  ])
}

/** A path as short as it can be told from here. */
function shown(folder: string): string {
  const short = relative('.', folder)
  return short === '' || short.startsWith('..') ? folder : short
}

/** Settles at the first request to stop; the second forces. */
function onStop(screen: Screen, force: () => void): Promise<void> {
  return new Promise((settle) => {
    let first: number | undefined
    const stop = (): void => {
      const now = performance.now()
      if (first === undefined) {
        first = now
        settle()
      } else if (now - first > SECOND_PRESS_MS) {
        screen.warn('ending at once')
        force()
        process.exit(1)
      }
    }
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop)
  })
}
