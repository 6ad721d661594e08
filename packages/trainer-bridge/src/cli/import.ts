import { mkdir, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { VISIT_GAP_MS } from '@attune/core'
import { BridgeError } from '../error.ts'
import { basketsOf } from '../import/baskets.ts'
import { LAYOUTS, type Mapping } from '../import/layouts.ts'
import { readRows } from '../import/rows.ts'
import { natural, required, textOf, type Arguments, type Command } from './command.ts'

const MAX_BAD_SHARE = 0.01
const PROGRESS_EVERY = 20_000

interface Click {
  readonly at: number
  readonly item: string
  /** Part of a visit that is learned from. */
  readonly step: boolean
  /** Put into the basket, or bought. */
  readonly basket: boolean
}

/** What others call it. */
const BASKET_VALUES = 'add-to-cart,add_to_cart,addtocart,cart,purchase,transaction,buy,order'

/** `attune import --file CLICKS --out DIR` */
export const importClicks: Command = {
  summary: 'turn a click log (CSV or Parquet) into visits that `attune train` reads',
  usage:
    'attune import --file CLICKS.csv[.gz]|CLICKS.parquet --out DIR [--layout yoochoose|diginetica|retailrocket]\n' +
    '       attune import --file CLICKS --out DIR --visitor COLUMN --item COLUMN --time COLUMN\n' +
    '  --visitor, --item, --time   names of columns, or their numbers from 1 when there is no header\n' +
    '  --session    the visitor column names visits already: no split after 30 minutes\n' +
    '  --kind       column with the kind of event; what of it means the basket or a purchase goes into baskets.txt.gz\n' +
    `  --basket     values of it that do (${BASKET_VALUES})\n` +
    '  --separator  between columns; found out when absent\n' +
    '  --min-items  items seen less often than this are left out (1)',
  options: {
    file: { type: 'string' },
    out: { type: 'string' },
    layout: { type: 'string' },
    visitor: { type: 'string' },
    item: { type: 'string' },
    time: { type: 'string' },
    session: { type: 'boolean' },
    kind: { type: 'string' },
    basket: { type: 'string' },
    separator: { type: 'string' },
    'min-items': { type: 'string' },
  },
  async run(args, terminal) {
    const file = required(args, terminal, 'file')
    const out = required(args, terminal, 'out')
    const minimum = natural(args, 'min-items') ?? 1
    const { visitors, clicks, bad, newest } = await readClicks(
      file,
      mappingOf(args),
      textOf(args, 'separator'),
      (line) => {
        if (terminal.signal.aborted)
          throw new BridgeError('IMPORT_STOPPED', `${file}: stopped at line ${line}`)
        terminal.status?.(`${line.toLocaleString('en')} lines read`)
      },
    )
    terminal.status?.('')
    const session = mappingOf(args)?.session ?? args.values['session'] === true
    const visits = toVisits(visitors, session, minimum)
    if (visits.length === 0)
      throw new BridgeError('IMPORT_MALFORMED', `${file}: no visit of two clicks or more`)
    await writeVisits(join(out, 'train.txt.gz'), visits)
    const baskets = basketsOf([...visitors.values()], session)
    const basketFile = join(out, 'baskets.txt.gz')
    // None of an earlier import may stay beside visits that are not its own.
    if (baskets.length > 0) await writeVisits(basketFile, baskets)
    else await rm(basketFile, { force: true })
    const items = new Set(visits.flatMap(({ items }) => items)).size
    const through = new Date(newest).toISOString()
    return {
      result: {
        visits: visits.length,
        clicks,
        items,
        baskets: baskets.length,
        bad,
        through,
        file: join(out, 'train.txt.gz'),
      },
      lines: [
        `${visits.length} visits, ${items} items of ${clicks} clicks in ${join(out, 'train.txt.gz')}; ${bad} lines left out`,
        `next: attune train --data ${out} --out model --through ${through}`,
      ],
    }
  },
}

/** The layout named, or the columns given; undefined when the header has to tell. */
function mappingOf(args: Arguments): Mapping | undefined {
  const layout = textOf(args, 'layout')
  if (layout !== undefined) {
    const known = LAYOUTS.find(({ name }) => name === layout)
    if (known !== undefined) return known
    throw new BridgeError(
      'IMPORT_MALFORMED',
      `--layout ${layout}: expected ${LAYOUTS.map(({ name }) => name).join(', ')}`,
    )
  }
  const [visitor, item, time] = [textOf(args, 'visitor'), textOf(args, 'item'), textOf(args, 'time')]
  if (visitor === undefined || item === undefined || time === undefined) return undefined
  const column = textOf(args, 'kind')
  const values = (textOf(args, 'basket') ?? BASKET_VALUES).split(',').map((value) => value.trim())
  return {
    visitor,
    item,
    time,
    session: args.values['session'] === true,
    ...(column !== undefined && { basket: { column, values } }),
  }
}

async function readClicks(
  file: string,
  asked: Mapping | undefined,
  separator: string | undefined,
  told: (line: number) => void,
): Promise<{ visitors: Map<string, Click[]>; clicks: number; bad: number; newest: number }> {
  const visitors = new Map<string, Click[]>()
  let columns:
    | ((cells: readonly string[]) => (Omit<Click, 'at'> & { visitor: string; time: string }) | undefined)
    | undefined
  let [clicks, bad, newest, line] = [0, 0, 0, 0]
  const { names, rows } = await readRows(file, separator)
  if (names !== undefined) columns = resolveColumns(names, asked, file).pick
  for await (const cells of rows) {
    line++
    if (line % PROGRESS_EVERY === 0) told(line)
    if (columns === undefined) {
      const found = resolveColumns(cells, asked, file)
      columns = found.pick
      if (found.header) continue
    }
    const click = columns(cells)
    if (click === undefined) continue
    const at = toTime(click.time)
    if (click.visitor === '' || click.item === '' || at === undefined) {
      bad++
      continue
    }
    if (click.step) clicks++
    newest = Math.max(newest, at)
    const { item, step, basket } = click
    const known = visitors.get(click.visitor)
    if (known === undefined) visitors.set(click.visitor, [{ at, item, step, basket }])
    else known.push({ at, item, step, basket })
  }
  if (bad > MAX_BAD_SHARE * (clicks + bad)) {
    throw new BridgeError(
      'IMPORT_MALFORMED',
      `${file}: ${bad} of ${line} lines have no visitor, item or time; is the mapping right?`,
    )
  }
  return { visitors, clicks, bad, newest }
}

/** Which cell is what: by the mapping's names or numbers, or by a header a known layout has. */
function resolveColumns(first: readonly string[], asked: Mapping | undefined, file: string) {
  const names = first.map((cell) => cell.trim().toLowerCase())
  const numbered = (column: string) => /^\d+$/.test(column)
  const find = (column: string) =>
    numbered(column) ? Number(column) - 1 : names.indexOf(column.toLowerCase())
  const fits = ({ visitor, item, time }: Mapping) =>
    [visitor, item, time].every((column) => find(column) >= 0)
  const mapping =
    asked ?? LAYOUTS.find((layout) => ![layout.visitor, layout.item].some(numbered) && fits(layout))
  if (mapping === undefined || !fits(mapping)) {
    throw new BridgeError(
      'IMPORT_MALFORMED',
      `${file}: columns ${first.slice(0, 12).join(', ')} are of no known layout; name them with --visitor, --item and --time`,
    )
  }
  const [visitor, item, time] = [find(mapping.visitor), find(mapping.item), find(mapping.time)]
  const millisecond = mapping.millisecond === undefined ? -1 : find(mapping.millisecond)
  const { keep } = mapping
  const kept = keep === undefined ? -1 : find(keep.column)
  const kind = mapping.basket === undefined ? -1 : find(mapping.basket.column)
  if (mapping.basket !== undefined && kind < 0)
    throw new BridgeError(
      'IMPORT_MALFORMED',
      `${file}: expected a column ${mapping.basket.column}, received ${first.slice(0, 12).join(', ')}`,
    )
  const inBasket = new Set(mapping.basket?.values)
  return {
    header: ![mapping.visitor, mapping.item, mapping.time].every(numbered),
    pick: (cells: readonly string[]) => {
      const step = keep === undefined || cells[kept]?.trim() === keep.value
      const basket = inBasket.has(cells[kind]?.trim() ?? '')
      if (!step && !basket) return undefined
      // Days with milliseconds within the day in a column of their own.
      const rest = millisecond >= 0 ? `+${cells[millisecond]?.trim() ?? ''}` : ''
      return {
        visitor: cells[visitor]?.trim() ?? '',
        item: cells[item]?.trim() ?? '',
        time: (cells[time]?.trim() ?? '') + rest,
        step,
        basket,
      }
    },
  }
}

/** Milliseconds since 1970 out of ISO 8601, seconds, milliseconds or smaller, or a day and `+milliseconds`. */
function toTime(text: string): number | undefined {
  const [day = '', within] = text.split('+', 2)
  if (within !== undefined && /^\d{4}-\d\d-\d\d$/.test(day))
    return Date.parse(`${day}T00:00:00Z`) + Number(within)
  if (/^\d{9,10}(\.\d+)?$/.test(text)) return Number(text) * 1_000
  if (/^\d{12,14}$/.test(text)) return Number(text)
  // Microseconds and nanoseconds, as Parquet's integers often are.
  if (/^\d{15,17}$/.test(text)) return Math.floor(Number(text) / 1e3)
  if (/^\d{18,20}$/.test(text)) return Math.floor(Number(text) / 1e6)
  const at = Date.parse(text)
  return Number.isNaN(at) ? undefined : at
}

/** Visits in the order they ended, so that the newest are at the end of the file. */
function toVisits(
  visitors: ReadonlyMap<string, Click[]>,
  session: boolean,
  minimum: number,
): { at: number; items: string[] }[] {
  const counts = new Map<string, number>()
  for (const clicks of visitors.values())
    for (const { item, step } of clicks) if (step) counts.set(item, (counts.get(item) ?? 0) + 1)
  const visits: { at: number; items: string[] }[] = []
  for (const clicks of visitors.values()) {
    let items: string[] = []
    let last = 0
    const end = () => {
      if (items.length > 1) visits.push({ at: last, items })
      items = []
    }
    for (const { at, item, step } of clicks.sort((a, b) => a.at - b.at)) {
      if (!step) continue
      if (!session && at - last >= VISIT_GAP_MS) end()
      if ((counts.get(item) ?? 0) >= minimum) items.push(item)
      last = at
    }
    end()
  }
  return visits.sort((a, b) => a.at - b.at)
}

async function writeVisits(path: string, visits: readonly { items: readonly string[] }[]): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true })
  const file = await open(`${path}.tmp`, 'w')
  function* lines() {
    // A space separates items in the file, so it cannot be in one.
    for (const { items } of visits) yield `${items.map((item) => item.replaceAll(/\s/g, '_')).join(' ')}\n`
  }
  await pipeline(Readable.from(lines()), createGzip(), file.createWriteStream())
  await rename(`${path}.tmp`, path)
}
