/** What a card shows of an item: name, price, address, picture … */
export type Fields = Readonly<Record<string, unknown>>

/** Ids → fields by id. An item without fields is not shown. */
export type Lookup = (
  ids: readonly string[],
) => Readonly<Record<string, Fields>> | Promise<Readonly<Record<string, Fields>>>

const FIELD = /\{([\w-]+)\}/g
const ADDRESS = /^(?:href|src|action|formaction|data|xlink:href)$/
const SCRIPT = /^(?:javascript|vbscript):/i

/**
 * A copy of the template's one element with `{field}` replaced in texts and attributes: as text, never as markup. Event
 * handlers and srcdoc are left alone and addresses that would run a script are dropped, whatever a catalogue contains.
 *
 * @returns undefined when the template is empty
 */
export function bindTemplate(template: HTMLTemplateElement, fields: Fields): Element | undefined {
  // Stays in the template's inert document until it is placed: no picture called `{image}` is fetched.
  const content = template.content.cloneNode(true) as DocumentFragment
  const fill = (text: string): string => text.replace(FIELD, (_, name: string) => String(fields[name] ?? ''))
  for (const element of content.querySelectorAll('*')) {
    for (const attribute of element.attributes) {
      const { name } = attribute
      if (!attribute.value.includes('{') || name.startsWith('on') || name === 'srcdoc') continue
      const value = fill(attribute.value)
      // Browsers skip white space and control characters inside `java script:`.
      attribute.value = ADDRESS.test(name) && SCRIPT.test(value.replace(/[^\w:]/g, '')) ? '' : value
    }
    for (const node of element.childNodes) if (node instanceof Text) node.data = fill(node.data)
  }
  return content.firstElementChild ?? undefined
}

/**
 * Fields from an address of the page's own: `/items.json?ids={ids}` answers an object by id, or a list of objects with
 * an `id`.
 *
 * @throws Error when the answer is not that
 */
export async function fetchFields(
  fetcher: typeof fetch,
  address: string,
  ids: readonly string[],
): Promise<Readonly<Record<string, Fields>>> {
  const response = await fetcher(address.replace('{ids}', ids.map(encodeURIComponent).join(',')))
  if (!response.ok) throw new Error(`${address}: expected items, received HTTP ${response.status}`)
  const body = (await response.json()) as Readonly<Record<string, Fields>> | readonly Fields[]
  return Array.isArray(body)
    ? Object.fromEntries(body.map((fields: Fields) => [String(fields['id']), fields]))
    : (body as Readonly<Record<string, Fields>>)
}
