import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { splitRow } from '../import/csv.ts'
import { cli } from '../testing/cli.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'attune-import-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

async function importFile(name: string, text: string | Buffer, ...options: string[]) {
  await writeFile(join(folder, name), text)
  const { code, json } = await cli([
    'import',
    '--file',
    join(folder, name),
    '--out',
    folder,
    '--json',
    ...options,
  ])
  const visits = async () =>
    gunzipSync(await readFile(join(folder, 'train.txt.gz')))
      .toString()
      .trim()
      .split('\n')
  const baskets = async () =>
    gunzipSync(await readFile(join(folder, 'baskets.txt.gz')))
      .toString()
      .trim()
      .split('\n')
  return { code, result: json(), visits, baskets }
}

const OWN_COLUMNS = '--visitor who --item what --time when'.split(' ')

test('RetailRocket: views only, split where 30 minutes pass, the visit that ended last comes last', async () => {
  const { result, visits } = await importFile(
    'events.csv',
    [
      'timestamp,visitorid,event,itemid,transactionid',
      '1433221332117,1,view,a,',
      '1433221333117,1,addtocart,zzz,',
      '1433221339117,1,view,b,',
      // 30 minutes and a second later: another visit, of one click, which says nothing.
      '1433223140117,1,view,c,',
      '1433221000000,2,view,b,',
      '1433221001000,2,view,c,',
    ].join('\n'),
  )
  expect(await visits()).toEqual(['b c', 'a b'])
  expect(result).toMatchObject({
    visits: 2,
    clicks: 5,
    items: 3,
    bad: 0,
    through: '2015-06-02T05:32:20.117Z',
  })
})

test('RetailRocket: what was put into the basket or bought in one visit is a basket, in the order visits ended', async () => {
  const { result, visits, baskets } = await importFile(
    'events.csv',
    [
      'timestamp,visitorid,event,itemid,transactionid',
      '1433221332117,1,view,a,',
      '1433221333117,1,addtocart,a,',
      '1433221334117,1,view,b,',
      '1433221335117,1,addtocart,b,',
      '1433221336117,1,transaction,b,1',
      '1433221337117,1,transaction,a,1',
      // 30 minutes on: another visit, with a basket of one.
      '1433223140117,1,addtocart,c,',
      '1433221000000,2,addtocart,c,',
      '1433221001000,2,transaction,a,2',
    ].join('\n'),
  )
  expect(await visits()).toEqual(['a b'])
  expect(await baskets()).toEqual(['c a', 'a b'])
  expect(result).toMatchObject({ visits: 1, clicks: 2, baskets: 2 })
})

test('a column of kinds of one’s own: every row is a click, those that mean the basket are one too', async () => {
  const { visits, baskets } = await importFile(
    'own.csv',
    'who,what,when,did\n1,a,1764000000,look\n1,b,1764000001,took\n1,c,1764000002,took\n',
    ...OWN_COLUMNS,
    '--kind',
    'did',
    '--basket',
    'took,paid',
  )
  expect(await visits()).toEqual(['a b c'])
  expect(await baskets()).toEqual(['b c'])
  const odd = await importFile('odd.csv', 'who,what,when\n1,a,1764000000\n', ...OWN_COLUMNS, '--kind', 'did')
  expect(odd.result).toMatchObject({
    error: { code: 'IMPORT_MALFORMED', message: expect.stringContaining('a column did') as string },
  })
})

test('Diginetica: sessions as they are, ordered by day and milliseconds of the day', async () => {
  const { visits } = await importFile(
    'train-item-views.csv',
    [
      'sessionId;userId;itemId;timeframe;eventdate',
      '1;NA;81766;526309;2016-05-09',
      '1;NA;31331;1031018;2016-05-09',
      '1;NA;32118;243569;2016-05-09',
    ].join('\n'),
  )
  expect(await visits()).toEqual(['32118 81766 31331'])
})

test('Yoochoose without a header, gzipped', async () => {
  const { visits } = await importFile(
    'clicks.dat.gz',
    gzipSync(
      '1,2014-04-07T10:51:09.277Z,214536502,0\n1,2014-04-07T10:54:09.868Z,214536500,0\n2,2014-04-07T13:56:37.614Z,214662742,0\n',
    ),
    '--layout',
    'yoochoose',
  )
  expect(await visits()).toEqual(['214536502 214536500'])
})

test('columns of one’s own by name, quoted cells, rare items left out', async () => {
  const { visits } = await importFile(
    'own.csv',
    'who,what,when\n"a, b","Tea, green",1764000000\n"a, b",cup,1764000001\n"a, b",once,1764000002\nc,"Tea, green",1764000003\nc,cup,1764000004\n',
    ...OWN_COLUMNS,
    '--min-items',
    '2',
  )
  expect(await visits()).toEqual(['Tea,_green cup', 'Tea,_green cup'])
})

test('a file of no known layout says which columns it has and what to do', async () => {
  const { code, result } = await importFile('odd.csv', 'a,b,c\n1,2,3\n')
  expect(code).toBe(1)
  expect(result).toMatchObject({
    error: { code: 'IMPORT_MALFORMED', message: expect.stringContaining('--visitor') as string },
  })
})

test('a wrong mapping is refused, not half imported', async () => {
  const { code, result } = await importFile('bad.csv', 'who,what,when\n1,x,soon\n1,y,later\n', ...OWN_COLUMNS)
  expect(code).toBe(1)
  expect(result).toMatchObject({ error: { message: expect.stringContaining('2 of 3 lines') as string } })
})

test('cells of CSV by RFC 4180: quotes, doubled quotes, separators inside', () => {
  expect(splitRow('a,"b ""c"", d",,e', ',')).toEqual(['a', 'b "c", d', '', 'e'])
})

test('Parquet by its own column names, whole numbers as milliseconds: the visits of the same rows as CSV', async () => {
  const file = parquetWriteBuffer({
    columnData: [
      {
        name: 'timestamp',
        data: [1433221332117n, 1433221339117n, 1433221000000n, 1433221001000n],
        type: 'INT64',
      },
      { name: 'visitorid', data: [1, 1, 2, 2], type: 'INT32' },
      { name: 'event', data: ['view', 'view', 'view', 'view'], type: 'STRING' },
      { name: 'itemid', data: ['a', 'b', 'b', 'c'], type: 'STRING' },
    ],
  })
  const { result, visits } = await importFile('events.parquet', Buffer.from(file))
  expect(await visits()).toEqual(['b c', 'a b'])
  expect(result).toMatchObject({ clicks: 4, bad: 0, through: '2015-06-02T05:02:19.117Z' })
})

test('Parquet with timestamps and a mapping, and nulls that are left out as bad lines', async () => {
  const at = (second: number) => new Date(1_764_000_000_000 + second * 1_000)
  const visitors = Array.from({ length: 400 }, (_, row) => `v${row >> 1}`)
  const file = parquetWriteBuffer({
    columnData: [
      { name: 'who', data: visitors, type: 'STRING' },
      { name: 'sku', data: visitors.map((_, row) => (row === 7 ? null : `i${row % 9}`)), type: 'STRING' },
      { name: 'seen', data: visitors.map((_, row) => at(row)), type: 'TIMESTAMP' },
    ],
  })
  const mapping = ['--visitor', 'who', '--item', 'sku', '--time', 'seen']
  const { result, visits } = await importFile('log.parquet', Buffer.from(file), ...mapping)
  expect(result).toMatchObject({ visits: 199, clicks: 399, bad: 1, through: at(399).toISOString() })
  expect((await visits())[0]).toBe('i0 i1')
})

test('a file that only calls itself Parquet is refused, and says so', async () => {
  const { code, result } = await importFile('log.parquet', 'visitor,item,time\n1,2,3\n')
  expect(code).toBe(1)
  expect(result).toMatchObject({
    error: { code: 'IMPORT_MALFORMED', message: expect.stringContaining('Parquet') as string },
  })
})
