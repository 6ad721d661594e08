type Child = Node | string | number | null | undefined
type Attributes = Readonly<Record<string, string | number | boolean | undefined>>

/** An element with attributes and children. Text is only ever text: nothing from an answer becomes markup. */
export function el<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue
    element.setAttribute(name, value === true ? '' : String(value))
  }
  for (const child of children) {
    if (child !== null && child !== undefined) element.append(child instanceof Node ? child : String(child))
  }
  return element
}

/** An element of the page itself. */
export function byId(id: string): HTMLElement {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`the page has no #${id}`)
  return element
}

export interface Column {
  readonly title: string
  /** Right-aligned. */
  readonly numeric?: boolean
}

/** A table with its heads; rows of cells. */
export function table(
  caption: string,
  columns: readonly Column[],
  rows: readonly (readonly Child[])[],
): HTMLElement {
  const cell = (tag: 'th' | 'td', column: number, child: Child): HTMLElement =>
    el(tag, { class: columns[column]?.numeric === true ? 'number' : undefined }, child)
  return el(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': caption },
    el(
      'table',
      {},
      el('caption', { class: 'unseen' }, caption),
      el(
        'thead',
        {},
        el(
          'tr',
          {},
          ...columns.map(({ title }, column) => {
            const head = cell('th', column, title)
            head.setAttribute('scope', 'col')
            return head
          }),
        ),
      ),
      el(
        'tbody',
        {},
        ...rows.map((row) => el('tr', {}, ...row.map((child, column) => cell('td', column, child)))),
      ),
    ),
  )
}
