import { runScript } from './python.ts'

/** An element of a policy document. */
export interface Element {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly text: string
  readonly children: readonly Element[]
}

export type PolicyDocument = { readonly tree: Element } | { readonly error: string }

/** Parses documents by name. */
export async function parsePolicies(
  interpreter: string,
  texts: Readonly<Record<string, string>>,
): Promise<Readonly<Record<string, PolicyDocument>>> {
  return (await runScript(interpreter, 'policies.py', texts)) as Record<string, PolicyDocument>
}

interface Rule {
  readonly within: readonly string[]
  readonly required?: readonly string[]
  readonly optional?: readonly string[]
}

const SECTIONS = ['inbound', 'backend', 'outbound', 'on-error']

/**
 * The elements that may be used, and their attributes: what the service's reference says of them.
 *
 * @see https://learn.microsoft.com/azure/api-management/api-management-policies
 */
const ALLOWED: Readonly<Record<string, Rule>> = {
  policies: { within: [] },
  inbound: { within: ['policies'] },
  backend: { within: ['policies'] },
  outbound: { within: ['policies'] },
  'on-error': { within: ['policies'] },
  base: { within: SECTIONS },
  'rate-limit-by-key': {
    within: ['inbound'],
    required: ['calls', 'renewal-period', 'counter-key'],
    optional: [
      'increment-condition',
      'increment-count',
      'retry-after-header-name',
      'remaining-calls-header-name',
      'total-calls-header-name',
    ],
  },
  'set-backend-service': { within: ['inbound', 'backend'], required: ['backend-id'] },
  retry: {
    within: SECTIONS,
    required: ['condition', 'count', 'interval'],
    optional: ['max-interval', 'delta', 'first-fast-retry'],
  },
  'forward-request': {
    within: ['backend', 'retry'],
    optional: ['timeout', 'follow-redirects', 'buffer-request-body', 'buffer-response'],
  },
}

/** What is wrong with a document: not well-formed, an element or attribute that is not allowed there, one that is missing. */
export function checkPolicy(document: PolicyDocument): string[] {
  if ('error' in document) return [`not well-formed: ${document.error}`]
  const { tree } = document
  if (tree.name !== 'policies') return [`expected policies at the top, received ${tree.name}`]
  const sections = tree.children.map(({ name }) => name)
  const order =
    sections.join(' ') === SECTIONS.join(' ')
      ? []
      : [`expected the sections ${SECTIONS.join(', ')}, received ${sections.join(', ')}`]
  return [...order, ...checkElement(tree, undefined)]
}

function checkElement(element: Element, parent: string | undefined): string[] {
  const { name, attributes, text, children } = element
  const rule = Object.hasOwn(ALLOWED, name) ? ALLOWED[name] : undefined
  if (rule === undefined) return [`${name}: not in the list of allowed elements`]
  const { required = [], optional = [] } = rule
  const problems = [
    ...(parent !== undefined && !rule.within.includes(parent) ? [`${name}: not allowed in ${parent}`] : []),
    ...required.filter((key) => !Object.hasOwn(attributes, key)).map((key) => `${name}: ${key} is missing`),
    ...Object.keys(attributes)
      .filter((key) => ![...required, ...optional].includes(key))
      .map((key) => `${name}: ${key} is not an attribute of it`),
    ...Object.entries(attributes)
      .filter(([, value]) => value.startsWith('@') && !balanced(value))
      .map(([key]) => `${name}: the expression of ${key} does not close`),
    ...(text === '' ? [] : [`${name}: text is not expected in it`]),
  ]
  return [...problems, ...children.flatMap((child) => checkElement(child, name))]
}

/** `@(…)` with every bracket closed and nothing after it; texts inside do not count. */
function balanced(expression: string): boolean {
  if (!expression.startsWith('@(') || !expression.endsWith(')')) return false
  let depth = 0
  for (const [index, char] of [...expression.replaceAll(/"[^"]*"/g, '')].entries()) {
    if (char === '(') depth++
    if (char === ')') depth--
    if (depth < 0 || (depth === 0 && index > 0 && index < expression.replaceAll(/"[^"]*"/g, '').length - 1))
      return false
  }
  return depth === 0
}
