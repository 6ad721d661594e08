import assert from 'node:assert/strict'
import type { Container, SqlParameter } from '@azure/cosmos'
import type { Check, World } from './world.ts'
import { failure } from './world.ts'

/** Twelve goods in four partitions; `n` is missing in one, of another type in two. */
export const GOODS: readonly Record<string, unknown>[] = [
  { id: '1', pk: 'a', name: 'Pear', n: 1, tags: ['fruit', 'green'], size: { w: 2, h: 3 } },
  { id: '2', pk: 'a', name: 'Plum', n: 2, tags: ['fruit'], size: { w: 1, h: 1 } },
  { id: '3', pk: 'a', name: 'Chair', n: 10, tags: [], size: { w: 5, h: 9 } },
  { id: '4', pk: 'b', name: 'Table', n: 7, tags: ['wood', 'green'] },
  { id: '5', pk: 'b', name: 'lamp', n: 4.5, tags: ['light'] },
  { id: '6', pk: 'b', name: 'Rug', n: null },
  { id: '7', pk: 'c', name: 'Cup', n: 'many', tags: ['kitchen'] },
  { id: '8', pk: 'c', name: 'Pan', n: 3, tags: ['kitchen', 'steel'], on: true },
  { id: '9', pk: 'c', name: 'Pot', tags: ['kitchen'], on: false },
  {
    id: '10',
    pk: 'd',
    name: 'Pen',
    n: 2,
    parts: [
      { k: 'ink', v: 1 },
      { k: 'cap', v: 2 },
    ],
  },
  { id: '11', pk: 'd', name: 'Pad', n: 2, parts: [{ k: 'page', v: 100 }] },
  { id: '12', pk: 'd', name: '50%_off', n: 0, at: '2026-01-31T10:20:30.1234567Z' },
]

let goods: Promise<Container> | undefined
let goodsOf: World | undefined

async function shared(world: World): Promise<Container> {
  if (goodsOf !== world) {
    goodsOf = world
    goods = world.container({ throughput: 30_000 }).then(async (made) => {
      for (const item of GOODS) await made.items.create(item)
      return made
    })
  }
  return goods as Promise<Container>
}

interface Expectation {
  readonly parameters?: SqlParameter[]
  /** Rows in any order, where the query gives none. */
  readonly unordered?: boolean
  readonly partitionKey?: string
}

/** A query through the SDK's whole pipeline, and what it must give. */
function query(sql: string, expected: unknown[], options: Expectation = {}): Check {
  return {
    name: `query: ${sql.length > 100 ? `${sql.slice(0, 97)}…` : sql}`,
    run: async (world) => {
      const made = await shared(world)
      const { resources } = await made.items
        .query(
          { query: sql, parameters: options.parameters ?? [] },
          {
            ...(options.partitionKey === undefined ? {} : { partitionKey: options.partitionKey }),
            maxItemCount: 3,
          },
        )
        .fetchAll()
      const order = (rows: unknown[]): unknown[] =>
        options.unordered === true ? rows.map((row) => JSON.stringify(row)).sort() : rows
      assert.deepEqual(order(resources), order(expected))
    },
  }
}

/** `SELECT VALUE` of an expression, on the item with id 1; `undefined` gives no row. */
function value(expression: string, ...expected: unknown[]): Check {
  return query(`SELECT VALUE ${expression} FROM c WHERE c.id = '1'`, expected, { partitionKey: 'a' })
}

/** A query that Cosmos refuses, with part of the message. */
function refused(sql: string, part: RegExp): Check {
  return {
    name: `query refused: ${sql}`,
    run: async (world) => {
      const made = await shared(world)
      const { code, message } = await failure(made.items.query(sql, { partitionKey: 'a' }).fetchAll())
      assert.equal(code, 400)
      assert.match(message, part)
    },
  }
}

const any = { unordered: true }

export const queries: readonly Check[] = [
  query(
    "SELECT c.id, c.name FROM c WHERE c.pk = 'a'",
    [
      { id: '1', name: 'Pear' },
      { id: '2', name: 'Plum' },
      { id: '3', name: 'Chair' },
    ],
    any,
  ),
  query('SELECT VALUE c.id FROM c WHERE c.n = @n', ['2', '10', '11'], {
    ...any,
    parameters: [{ name: '@n', value: 2 }],
  }),
  query('SELECT VALUE c.id FROM c WHERE c.n > 2 AND c.n <= 7', ['4', '5', '8'], any),
  query('SELECT VALUE c.id FROM c WHERE c.n != 2', ['1', '3', '4', '5', '6', '7', '8', '12'], any),
  query('SELECT VALUE c.id FROM c WHERE NOT (c.n = 2)', ['1', '3', '4', '5', '6', '7', '8', '12'], any),
  query('SELECT VALUE c.id FROM c WHERE c.n = null', ['6'], any),
  query("SELECT VALUE c.id FROM c WHERE c.n < 'z'", ['7'], any),
  query('SELECT VALUE c.id FROM c WHERE c.on', ['8'], any),
  query("SELECT VALUE c.id FROM c WHERE c.name IN ('Pan', 'Pot', 'none')", ['8', '9'], any),
  query("SELECT VALUE c.id FROM c WHERE c.name NOT IN ('Pan', 'Pot') AND c.pk = 'c'", ['7'], any),
  query('SELECT VALUE c.id FROM c WHERE c.n BETWEEN 2 AND 4.5', ['2', '5', '8', '10', '11'], any),
  query("SELECT VALUE c.id FROM c WHERE c.name LIKE 'P%'", ['1', '2', '8', '9', '10', '11'], any),
  query("SELECT VALUE c.id FROM c WHERE c.name LIKE 'P_n'", ['8', '10'], any),
  query("SELECT VALUE c.id FROM c WHERE c.name LIKE '50!%!_%' ESCAPE '!'", ['12'], any),
  query(
    "SELECT VALUE c.id FROM c WHERE c.name LIKE '[C-R]%' AND c.pk != 'd'",
    ['1', '2', '3', '6', '7', '8', '9'],
    any,
  ),
  query("SELECT VALUE c.id FROM c WHERE ARRAY_CONTAINS(c.tags, 'kitchen')", ['7', '8', '9'], any),
  query("SELECT VALUE c.id FROM c WHERE ARRAY_CONTAINS(c.parts, {k: 'cap'}, true)", ['10'], any),
  query(
    "SELECT VALUE c.id FROM c WHERE EXISTS(SELECT VALUE t FROM t IN c.tags WHERE t = 'green')",
    ['1', '4'],
    any,
  ),
  query('SELECT VALUE t FROM c JOIN t IN c.tags WHERE c.pk = "a"', ['fruit', 'green', 'fruit'], any),
  query(
    'SELECT c.id, p.k FROM c JOIN p IN c.parts WHERE p.v > 1',
    [
      { id: '10', k: 'cap' },
      { id: '11', k: 'page' },
    ],
    any,
  ),
  query('SELECT VALUE p.k FROM p IN c.parts', ['ink', 'cap', 'page'], any),
  query('SELECT VALUE s.w FROM c.size s', [2, 1, 5], any),
  query(
    "SELECT c.id, ARRAY(SELECT VALUE p.v FROM p IN c.parts) AS v FROM c WHERE c.pk = 'd'",
    [
      { id: '10', v: [1, 2] },
      { id: '11', v: [100] },
      { id: '12', v: [] },
    ],
    any,
  ),
  query(
    "SELECT c.id, (SELECT VALUE COUNT(1) FROM p IN c.parts) AS n FROM c WHERE c.pk = 'd'",
    [
      { id: '10', n: 2 },
      { id: '11', n: 1 },
      { id: '12', n: 0 },
    ],
    any,
  ),
  query(
    'SELECT c.id, m.total FROM c JOIN (SELECT VALUE {total: SUM(p.v)} FROM p IN c.parts) m WHERE m.total > 2',
    [
      { id: '10', total: 3 },
      { id: '11', total: 100 },
    ],
    any,
  ),
  query(
    'SELECT VALUE c.name FROM c WHERE IS_NUMBER(c.n) ORDER BY c.n DESC',
    ['Chair', 'Table', 'lamp', 'Pan', 'Plum', 'Pen', 'Pad', 'Pear', '50%_off'].sort(
      (a, b) => nOf(b) - nOf(a),
    ),
    any,
  ),
  query('SELECT VALUE c.n FROM c WHERE IS_NUMBER(c.n) ORDER BY c.n', [0, 1, 2, 2, 2, 3, 4.5, 7, 10]),
  query('SELECT VALUE c.n FROM c WHERE IS_NUMBER(c.n) ORDER BY c.n DESC OFFSET 1 LIMIT 3', [7, 4.5, 3]),
  query('SELECT c.n, c.id FROM c WHERE IS_NUMBER(c.n) ORDER BY c.n DESC, c.id ASC', rowsByNThenId()),
  query('SELECT TOP 2 VALUE c.n FROM c WHERE IS_NUMBER(c.n) ORDER BY c.n', [0, 1]),
  query('SELECT TOP @k VALUE c.n FROM c WHERE IS_NUMBER(c.n) ORDER BY c.n', [0, 1, 2], {
    parameters: [{ name: '@k', value: 3 }],
  }),
  query('SELECT VALUE c.id FROM c ORDER BY c.n', ['9', '8', '7'], { partitionKey: 'c' }),
  // The SDK itself drops 0, false and null from DISTINCT VALUE over several ranges.
  query('SELECT DISTINCT VALUE c.n FROM c WHERE c.n > 0', [1, 2, 10, 7, 4.5, 3], any),
  query('SELECT DISTINCT VALUE c.n FROM c WHERE c.n > 0 ORDER BY c.n', [1, 2, 3, 4.5, 7, 10]),
  query('SELECT DISTINCT c.pk FROM c', [{ pk: 'a' }, { pk: 'b' }, { pk: 'c' }, { pk: 'd' }], any),
  query('SELECT VALUE COUNT(1) FROM c', [12]),
  query('SELECT VALUE COUNT(c.n) FROM c', [11]),
  query('SELECT VALUE SUM(c.n) FROM c WHERE IS_NUMBER(c.n)', [31.5]),
  query('SELECT VALUE AVG(c.n) FROM c WHERE IS_NUMBER(c.n)', [3.5]),
  query('SELECT VALUE MIN(c.n) FROM c WHERE IS_NUMBER(c.n)', [0]),
  query('SELECT VALUE MAX(c.n) FROM c WHERE IS_NUMBER(c.n)', [10]),
  query('SELECT COUNT(1) AS n, MAX(c.n) AS most FROM c WHERE IS_NUMBER(c.n)', [{ n: 9, most: 10 }]),
  query(
    'SELECT c.pk, COUNT(1) AS n FROM c GROUP BY c.pk',
    [
      { pk: 'a', n: 3 },
      { pk: 'b', n: 3 },
      { pk: 'c', n: 3 },
      { pk: 'd', n: 3 },
    ],
    any,
  ),
  query(
    'SELECT c.pk, AVG(c.n) AS mean, MIN(c.n) AS low FROM c WHERE IS_NUMBER(c.n) GROUP BY c.pk',
    [
      { pk: 'a', mean: 13 / 3, low: 1 },
      { pk: 'b', mean: 5.75, low: 4.5 },
      { pk: 'c', mean: 3, low: 3 },
      { pk: 'd', mean: 4 / 3, low: 0 },
    ],
    any,
  ),
  query('SELECT VALUE c.pk FROM c GROUP BY c.pk', ['a', 'b', 'c', 'd'], any),
  query("SELECT VALUE COUNT(1) FROM c WHERE c.pk = 'none'", [0]),
  query("SELECT c.pk, c.n FROM c WHERE c.pk = 'b' ORDER BY c.id", [
    { pk: 'b', n: 7 },
    { pk: 'b', n: 4.5 },
    { pk: 'b', n: null },
  ]),
  query('SELECT * FROM c WHERE c.id = "none"', []),
  query('SELECT c.id AS a, {b: c.n, list: [c.pk, c.none]} AS o FROM c WHERE c.id = "1"', [
    { a: '1', o: { b: 1, list: ['a'] } },
  ]),
  query('SELECT c.n + 1, c.n * 2 AS twice, c.none FROM c WHERE c.id = "1"', [{ $1: 2, twice: 2 }]),
  query("SELECT VALUE x.name FROM root x WHERE x['name'] = 'Cup'", ['Cup']),
  query('SELECT VALUE c.parts[0].k FROM c WHERE c.id = "10"', ['ink']),
  query('-- a comment\nSELECT VALUE c.id /* another */ FROM c WHERE c.id = "3"', ['3']),
  value('1 = "1"', false),
  value('1 < "1"'),
  value('c.none = c.none'),
  value('c.none ?? "else"', 'else'),
  value('(true AND c.none)'),
  value('(false AND c.none)', false),
  value('(true OR c.none)', true),
  value('NOT c.name'),
  value('"a" + "b"'),
  value('"a" || "b"', 'ab'),
  value('1 / 0'),
  value('7 % 4', 3),
  value('-c.n', -1),
  value('5 & 6 | 8', 12),
  value('1 << 4 >> 2', 4),
  value('c.n = 1 ? "one" : "more"', 'one'),
  value('c.size = {h: 3, w: 2}', true),
  value('[1, 2] = [2, 1]', false),
  value('IS_DEFINED(c.none)', false),
  value(
    '[IS_ARRAY(c.tags), IS_OBJECT(c.size), IS_STRING(c.name), IS_NULL(null), IS_BOOL(true), IS_BOOLEAN(1), IS_PRIMITIVE(c.tags), IS_INTEGER(1.5)]',
    [true, true, true, true, true, false, false, false],
  ),
  value(
    '[ABS(-2), CEILING(1.2), FLOOR(-1.2), ROUND(2.5), ROUND(-2.5), TRUNC(-1.9), SIGN(-4), SQRT(16), SQUARE(3), POWER(2, 10)]',
    [2, 2, -2, 3, -3, -1, -1, 4, 9, 1024],
  ),
  value(
    '[LOG(EXP(1)), LOG10(1000), ROUND(PI() * 100), DEGREES(RADIANS(180)), INTADD(2, 3), INTBITAND(6, 3), NUMBERBIN(37, 10)]',
    [1, 3, 314, 180, 5, 2, 30],
  ),
  value(
    '[UPPER(c.name), LOWER(c.name), LENGTH(c.name), REVERSE(c.name), LEFT(c.name, 2), RIGHT(c.name, 2), SUBSTRING(c.name, 1, 2)]',
    ['PEAR', 'pear', 4, 'raeP', 'Pe', 'ar', 'ea'],
  ),
  value(
    '[CONCAT("a", "b", "c"), TRIM("  x "), LTRIM(" x"), RTRIM("x "), REPLACE("aXbX", "X", "-"), REPLICATE("ab", 2), INDEX_OF("hello", "l")]',
    ['abc', 'x', 'x', 'x', 'a-b-', 'abab', 2],
  ),
  value(
    '[CONTAINS("Hello", "ELL", true), CONTAINS("Hello", "ELL"), STARTSWITH("Hello", "He"), ENDSWITH("Hello", "LO", true), STRINGEQUALS("a", "A", true)]',
    [true, false, true, true, true],
  ),
  value(
    '[REGEXMATCH("abc1", "^[a-c]+\\\\d$"), REGEXMATCH("ABC", "abc", "i"), STRINGTONUMBER("1.5"), STRINGTOBOOLEAN("true"), STRINGTOARRAY("[1]"), STRINGTOOBJECT("{}"), TOSTRING(1.5), TOSTRING([1])]',
    [true, true, 1.5, true, [1], {}, '1.5', '[1]'],
  ),
  value('UPPER(1)'),
  value(
    '[ARRAY_LENGTH(c.tags), ARRAY_CONCAT([1], [2]), ARRAY_SLICE([1, 2, 3], -2), ARRAY_SLICE([1, 2, 3], 0, 1), SETINTERSECT([1, 2], [2, 3]), SETUNION([1, 2], [2, 3])]',
    [2, [1, 2], [2, 3], [1], [2], [1, 2, 3]],
  ),
  value(
    '[ARRAY_CONTAINS_ANY(c.tags, "red", "green"), ARRAY_CONTAINS_ALL(c.tags, "red", "green"), CHOOSE(2, "a", "b"), OBJECTTOARRAY({a: 1}), STRINGJOIN(c.tags, "+"), STRINGSPLIT("a,b", ",")]',
    [true, false, 'b', [{ k: 'a', v: 1 }], 'fruit+green', ['a', 'b']],
  ),
  value('IIF(c.n = 1, "yes", "no")', 'yes'),
  query("SELECT VALUE DATETIMEADD('mm', 1, c.at) FROM c WHERE c.id = '12'", ['2026-02-28T10:20:30.1234567Z']),
  query(
    "SELECT VALUE [DATETIMEPART('dd', c.at), DATETIMEPART('mcs', c.at), DATETIMEDIFF('hh', c.at, '2026-02-01T00:00:00Z'), DATETIMETOTIMESTAMP('1970-01-01T00:00:01Z')] FROM c WHERE c.id = '12'",
    [[31, 123456, 14, 1000]],
  ),
  query(
    "SELECT VALUE [DATETIMEBIN(c.at, 'hh', 6), TIMESTAMPTODATETIME(1000), DATETIMEFROMPARTS(2026, 2, 28), TICKSTODATETIME(10000000)] FROM c WHERE c.id = '12'",
    [
      [
        '2026-01-31T06:00:00.0000000Z',
        '1970-01-01T00:00:01.0000000Z',
        '2026-02-28T00:00:00.0000000Z',
        '1970-01-01T00:00:01.0000000Z',
      ],
    ],
  ),
  value('GETCURRENTTIMESTAMP() > 1700000000000', true),
  refused('SELECT * FROM', /Syntax error, incorrect syntax near/),
  refused('SELECT c.a FROM c WHERE', /"location":\{"start":\d+,"end":\d+\}|location/),
  refused('SELECT NOSUCH(c.a) FROM c', /'NOSUCH' is not a recognized built-in function name/),
  refused('SELECT x.a FROM c', /Identifier 'x' could not be resolved/),
  refused('SELECT udf.mine(c.a) FROM c', /udf\.mine/),
  refused('SELECT ABS(1, 2) FROM c', /ABS function requires 1 argument/),
  refused('SELECT * FROM c JOIN t IN c.tags', /single input set/),
  refused('SELECT ST_DISTANCE(c.a, c.b) FROM c', /ST_DISTANCE/),
  {
    name: 'query: pages of 2 through continuation tokens give every row once',
    run: async (world) => {
      const made = await shared(world)
      const seen: string[] = []
      let continuationToken: string | undefined
      do {
        const options = {
          partitionKey: 'c',
          maxItemCount: 2,
          ...(continuationToken && { continuationToken }),
        }
        const page = await made.items.query<string>('SELECT VALUE c.id FROM c', options).fetchNext()
        seen.push(...page.resources)
        continuationToken = page.continuationToken
      } while (continuationToken)
      assert.deepEqual(seen, ['7', '8', '9'])
    },
  },
  {
    name: 'query: a row for every array element survives page borders',
    run: async (world) => {
      const made = await shared(world)
      const iterator = made.items.query('SELECT VALUE t FROM c JOIN t IN c.tags', {
        partitionKey: 'a',
        maxItemCount: 1,
      })
      assert.deepEqual((await iterator.fetchAll()).resources, ['fruit', 'green', 'fruit'])
    },
  },
  {
    name: 'query: metrics when asked for',
    run: async (world) => {
      const made = await shared(world)
      const page = await made.items
        .query('SELECT * FROM c', { partitionKey: 'a', populateQueryMetrics: true })
        .fetchNext()
      assert.ok(page.requestCharge > 0)
    },
  },
]

function nOf(name: string): number {
  return Number(GOODS.find((one) => one['name'] === name)?.['n'])
}

function rowsByNThenId(): unknown[] {
  const rows = GOODS.filter((one) => typeof one['n'] === 'number').map(({ n, id }) => ({
    n: n as number,
    id: id as string,
  }))
  return rows.sort((a, b) => b.n - a.n || (a.id < b.id ? -1 : 1))
}
