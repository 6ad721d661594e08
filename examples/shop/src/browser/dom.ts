type Child = Node | string | undefined | false
type Props = Readonly<Record<string, string | number | boolean | undefined | ((event: Event) => void)>>

/** An element with attributes, listeners (`onclick`) and children; texts stay texts. */
export function h(tag: string, props: Props = {}, ...children: readonly Child[]): HTMLElement {
  return dress(document.createElement(tag), props, children)
}

/** As `h`, for drawings. */
export function svg(tag: string, props: Props = {}, ...children: readonly Child[]): SVGElement {
  return dress(document.createElementNS('http://www.w3.org/2000/svg', tag), props, children)
}

function dress<E extends Element>(element: E, props: Props, children: readonly Child[]): E {
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === 'function') element.addEventListener(name.slice('on'.length), value)
    else if (value === true) element.setAttribute(name, '')
    else if (value !== undefined && value !== false) element.setAttribute(name, String(value))
  }
  element.append(
    ...children.filter((child): child is Node | string => child !== undefined && child !== false),
  )
  return element
}

export const calm = (): boolean => matchMedia('(prefers-reduced-motion: reduce)').matches
