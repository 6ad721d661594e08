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
  /** It holds text. */
  readonly text?: true
}

const SECTIONS = ['inbound', 'backend', 'outbound', 'on-error']
const BRANCHES = ['when', 'otherwise']

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
  'quota-by-key': {
    within: ['inbound'],
    required: ['renewal-period', 'counter-key'],
    optional: ['calls', 'bandwidth', 'increment-condition', 'increment-count', 'first-period-start'],
  },
  'set-variable': { within: [...SECTIONS, ...BRANCHES], required: ['name', 'value'] },
  choose: { within: [...SECTIONS, ...BRANCHES] },
  when: { within: ['choose'], required: ['condition'] },
  otherwise: { within: ['choose'] },
  'cache-lookup-value': {
    within: [...SECTIONS, ...BRANCHES],
    required: ['key', 'variable-name'],
    optional: ['default-value', 'caching-type'],
  },
  'cache-store-value': {
    within: [...SECTIONS, ...BRANCHES],
    required: ['key', 'value', 'duration'],
    optional: ['caching-type'],
  },
  'return-response': { within: [...SECTIONS, ...BRANCHES], optional: ['response-variable-name'] },
  'set-status': { within: ['return-response'], required: ['code', 'reason'] },
  'set-header': {
    within: ['return-response', ...SECTIONS, ...BRANCHES],
    required: ['name'],
    optional: ['exists-action'],
  },
  'set-body': { within: ['return-response', 'inbound', 'outbound'], optional: ['template'], text: true },
  value: { within: ['set-header', 'claim'], text: true },
  cors: {
    within: ['inbound'],
    optional: ['allow-credentials', 'terminate-unmatched-request'],
  },
  'allowed-origins': { within: ['cors'] },
  origin: { within: ['allowed-origins'], text: true },
  'allowed-methods': { within: ['cors'], optional: ['preflight-result-max-age'] },
  method: { within: ['allowed-methods'], text: true },
  'allowed-headers': { within: ['cors'] },
  header: { within: ['allowed-headers'], text: true },
  'validate-azure-ad-token': {
    within: ['inbound'],
    required: ['tenant-id'],
    optional: ['header-name', 'failed-validation-httpcode', 'failed-validation-error-message'],
  },
  audiences: { within: ['validate-azure-ad-token'] },
  audience: { within: ['audiences'], text: true },
  'required-claims': { within: ['validate-azure-ad-token'] },
  claim: { within: ['required-claims'], required: ['name'], optional: ['match', 'separator'] },
  'set-backend-service': {
    within: ['inbound', 'backend', ...BRANCHES],
    optional: ['backend-id', 'base-url'],
  },
  'rewrite-uri': {
    within: ['inbound', ...BRANCHES],
    required: ['template'],
    optional: ['copy-unmatched-params'],
  },
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

/**
 * What is wrong with a document: not well-formed, an element or attribute that is not allowed there, one that is missing.
 *
 * @param values - names that may stand in it as `{{name}}`
 */
export function checkPolicy(document: PolicyDocument, values: readonly string[] = []): string[] {
  if ('error' in document) return [`not well-formed: ${document.error}`]
  const { tree } = document
  if (tree.name !== 'policies') return [`expected policies at the top, received ${tree.name}`]
  const sections = tree.children.map(({ name }) => name)
  const order =
    sections.join(' ') === SECTIONS.join(' ')
      ? []
      : [`expected the sections ${SECTIONS.join(', ')}, received ${sections.join(', ')}`]
  const named = [...JSON.stringify(tree).matchAll(/\{\{([^}]*)\}\}/g)].map(([, name = '']) => name)
  const unknown = named.filter((name) => !values.includes(name))
  return [
    ...order,
    ...checkElement(tree, undefined),
    ...unknown.map((name) => `{{${name}}}: no such named value`),
  ]
}

function checkElement(element: Element, parent: string | undefined): string[] {
  const { name, attributes, text, children } = element
  const rule = Object.hasOwn(ALLOWED, name) ? ALLOWED[name] : undefined
  if (rule === undefined) return [`${name}: not in the list of allowed elements`]
  const { required = [], optional = [], text: holdsText = false } = rule
  const problems = [
    ...(parent !== undefined && !rule.within.includes(parent) ? [`${name}: not allowed in ${parent}`] : []),
    ...required.filter((key) => !Object.hasOwn(attributes, key)).map((key) => `${name}: ${key} is missing`),
    ...Object.keys(attributes)
      .filter((key) => ![...required, ...optional].includes(key))
      .map((key) => `${name}: ${key} is not an attribute of it`),
    ...Object.entries(attributes)
      .filter(([, value]) => value.startsWith('@') && !balanced(value))
      .map(([key]) => `${name}: the expression of ${key} does not close`),
    ...((text !== '') === holdsText
      ? []
      : [`${name}: text is ${holdsText ? 'missing' : 'not expected in it'}`]),
    ...(text.startsWith('@') && !balanced(text) ? [`${name}: its expression does not close`] : []),
  ]
  return [...problems, ...children.flatMap((child) => checkElement(child, name))]
}

const TEXTS = /"(?:[^"\\]|\\.)*"/g

/** `@(…)` with every bracket closed and nothing after it; texts inside do not count. */
function balanced(expression: string): boolean {
  if (!expression.startsWith('@(') || !expression.endsWith(')')) return false
  let depth = 0
  for (const [index, char] of [...expression.replaceAll(TEXTS, '')].entries()) {
    if (char === '(') depth++
    if (char === ')') depth--
    if (depth < 0 || (depth === 0 && index > 0 && index < expression.replaceAll(TEXTS, '').length - 1))
      return false
  }
  return depth === 0
}
