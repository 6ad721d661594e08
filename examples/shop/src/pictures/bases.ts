/** The print studio's own drawings: 32 × 32, flat, with room for a motif. */
export type Base =
  'mug' | 'tote' | 'cushion' | 'pin' | 'card' | 'print' | 'puzzle' | 'jam' | 'tea' | 'candle' | 'seeds'

interface Shades {
  readonly pale: string
  readonly soft: string
  readonly mid: string
  readonly deep: string
}

const BASES: Readonly<
  Record<Base, (motif: (x: number, y: number, size: number) => string, shades: Shades) => string>
> = {
  mug: (motif, { pale, soft, mid, deep }) =>
    `<path fill="none" stroke="${mid}" stroke-width="2.6" d="M23 11.5h2.2a4 4 0 0 1 4 4v2.6a4 4 0 0 1-4 4H23"/>` +
    `<path fill="${pale}" d="M3 6h21v18.5a4 4 0 0 1-4 4H7a4 4 0 0 1-4-4z"/><path fill="${soft}" d="M20 6h4v18.5a4 4 0 0 1-4 4h-2a4 4 0 0 0 2-4z"/>` +
    `<rect width="22.4" height="2.4" x="2.3" y="4.8" rx="1.2" fill="${deep}"/>${motif(6, 9.4, 14)}`,
  tote: (motif, { pale, soft, mid, deep }) =>
    `<path fill="none" stroke="${deep}" stroke-width="1.6" d="M11 13V8a5 5 0 0 1 10 0v5"/>` +
    `<path fill="${soft}" d="M5.5 10h21l1.6 18.2A1.7 1.7 0 0 1 26.4 30H5.6a1.7 1.7 0 0 1-1.7-1.8z"/>` +
    `<path fill="${pale}" d="M5.5 10h18.8l1.5 20H5.6a1.7 1.7 0 0 1-1.7-1.8z"/><path fill="${mid}" d="M5.3 12.2h21.4l.2 1H5.2z"/>${motif(8.5, 14.2, 14)}`,
  cushion: (motif, { pale, soft, mid }) =>
    `<path fill="${mid}" d="M3.2 3.2C7 5.2 25 5.2 28.8 3.2c2 3.8 2 21.8 0 25.6C25 26.8 7 26.8 3.2 28.8c-2-3.8-2-21.8 0-25.6z"/>` +
    `<path fill="${soft}" d="M4.6 4.6C8 6.2 24 6.2 27.4 4.6c1.6 3.4 1.6 19.4 0 22.8C24 25.8 8 25.8 4.6 27.4c-1.6-3.4-1.6-19.4 0-22.8z"/>` +
    `<path fill="${pale}" opacity=".55" d="M4.6 4.6C8 6.2 24 6.2 27.4 4.6 20 12 12 20 4.6 27.4c-1.6-3.4-1.6-19.4 0-22.8z"/>${motif(8, 8, 16)}`,
  pin: (motif, { pale, soft, deep }) =>
    `<circle cx="16" cy="16" r="13.5" fill="#c9a24b"/><circle cx="16" cy="16" r="12.4" fill="${deep}"/>` +
    `<circle cx="16" cy="16" r="11" fill="${soft}"/><path fill="${pale}" d="M16 5a11 11 0 0 0-9.5 16.5L21.5 6.5A11 11 0 0 0 16 5"/>${motif(8.5, 8.5, 15)}`,
  card: (motif, { pale, soft, mid }) =>
    `<path fill="${mid}" d="M9 4.5 27 3v24.5L9 29z"/><path fill="#fffdf8" d="M5 3h18.5A1.5 1.5 0 0 1 25 4.5v24a.5.5 0 0 1-.5.5H5a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1"/>` +
    `<rect width="17" height="19" x="6" y="5.5" rx="1" fill="${soft}"/><circle cx="14.5" cy="15" r="7.6" fill="${pale}"/>${motif(8.5, 9, 12)}`,
  print: (motif, { pale }) =>
    `<rect width="26" height="30" x="3" y="1" rx=".8" fill="#b98654"/><path fill="#8f6238" d="M3 29.8 5.2 28h21.6l2.2 1.8v.4a.8.8 0 0 1-.8.8H3.8a.8.8 0 0 1-.8-.8z"/>` +
    `<rect width="21.6" height="25.6" x="5.2" y="3.2" fill="#fffdf8"/><rect width="17" height="19" x="7.5" y="5.5" fill="${pale}"/>${motif(8, 7, 16)}`,
  puzzle: (motif, { soft, mid, deep }) =>
    `<path fill="${deep}" d="M2 25h28v2.5a1.5 1.5 0 0 1-1.5 1.5h-25A1.5 1.5 0 0 1 2 27.5z"/><rect width="28" height="21" x="2" y="5" rx="1.5" fill="${mid}"/>` +
    `<rect width="17" height="17" x="3.8" y="7" rx=".8" fill="#fffdf8"/>${motif(4.3, 7.5, 16)}` +
    `<path fill="${soft}" d="M22.6 9h2.1a1.4 1.4 0 1 1 2 0H28v2.3a1.4 1.4 0 1 0 0 2V16h-5.4v-2.7a1.4 1.4 0 1 1 0-2z"/><path fill="#fffdf8" opacity=".8" d="M22.6 18.5H28v1h-5.4zm0 2.2h3.6v1h-3.6z"/>`,
  jam: (motif, { pale, mid, deep }) =>
    `<path fill="${deep}" d="M7 9h18c2 1.2 3 2.8 3 5v13a3 3 0 0 1-3 3H7a3 3 0 0 1-3-3V14c0-2.2 1-3.8 3-5"/><path fill="${mid}" d="M7 9h15c1.6 1.2 2.4 2.8 2.4 5v13a3 3 0 0 1-3 3H7a3 3 0 0 1-3-3V14c0-2.2 1-3.8 3-5"/>` +
    `<path fill="#fff" opacity=".45" d="M6 14c0-1.4.5-2.4 1.5-3.2h1.2C7.9 11.8 7.5 13 7.5 14v12.5H6z"/><rect width="20" height="6" x="6" y="3" rx="1.4" fill="#f3e3c3"/>` +
    `<path fill="#e2c890" d="M6 6.6h20v1a1.4 1.4 0 0 1-1.4 1.4H7.4A1.4 1.4 0 0 1 6 7.6z"/><circle cx="16" cy="19.5" r="8" fill="#fffdf8"/><circle cx="16" cy="19.5" r="7" fill="${pale}"/>${motif(10.5, 14, 11)}`,
  tea: (motif, { pale, soft, mid, deep }) =>
    `<rect width="22" height="22" x="5" y="8" rx="1.8" fill="${mid}"/><path fill="${deep}" d="M22 8h3.2A1.8 1.8 0 0 1 27 9.8v18.4a1.8 1.8 0 0 1-1.8 1.8H22z"/>` +
    `<rect width="23.6" height="5.6" x="4.2" y="3" rx="1.5" fill="${deep}"/><rect width="23.6" height="1.3" x="4.2" y="6.6" fill="${soft}" opacity=".6"/>` +
    `<rect width="15" height="16" x="7.5" y="11" rx="7.5" fill="#fffdf8"/><rect width="13.4" height="14.4" x="8.3" y="11.8" rx="6.7" fill="${pale}"/>${motif(9.5, 13.5, 11)}`,
  candle: (motif, { pale, soft, deep }) =>
    `<path fill="#ffb02e" d="M16 1.2c2 2.2 2.8 3.6 2.8 5a2.8 2.8 0 0 1-5.6 0c0-1.4.8-2.8 2.8-5"/><path fill="#fff2c4" d="M16 4.3c.9 1 1.2 1.6 1.2 2.3a1.2 1.2 0 0 1-2.4 0c0-.7.3-1.3 1.2-2.3"/>` +
    `<path fill="#4a3a30" d="M15.5 8.4h1V12h-1z"/><path fill="${soft}" d="M5 10.5h22v17a2.5 2.5 0 0 1-2.5 2.5h-17A2.5 2.5 0 0 1 5 27.5z"/><path fill="${pale}" d="M5 12.5h22v2.2c-7 1.8-15-1-22 .6z"/>` +
    `<path fill="#fff" opacity=".5" d="M6.6 12.5h1.5v15H6.6z"/><rect width="14" height="12.5" x="9" y="15.3" rx="1" fill="#fffdf8"/><path fill="${deep}" d="M9.9 16.2h12.2v.6H9.9zm0 10.1h12.2v.6H9.9z"/>${motif(11.5, 17, 9)}`,
  seeds: (motif, { pale, mid, deep }) =>
    `<path fill="${mid}" d="M6 2h20a1 1 0 0 1 1 1v26a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1V3a1 1 0 0 1 1-1"/><path fill="${deep}" d="M5 3a1 1 0 0 1 1-1h20a1 1 0 0 1 1 1v3H5z"/>` +
    `<path fill="#fffdf8" opacity=".9" d="M9 3.7h14v.9H9z"/><rect width="18" height="17" x="7" y="8" rx="1.2" fill="${pale}"/>${motif(8.5, 9, 15)}<path fill="#fffdf8" d="M8 26.4h16v1.1H8zm3 1.9h10v.7H11z"/>`,
}

/** A base in shades of `hue` with the icon's body on it. */
export function baseSvg(base: Base, body: string, hue: number): string {
  const motif = (x: number, y: number, size: number) =>
    `<g transform="translate(${x} ${y}) scale(${(size / 32).toFixed(4)})">${body}</g>`
  const shades: Shades = {
    pale: `hsl(${hue} 70% 93%)`,
    soft: `hsl(${hue} 52% 82%)`,
    mid: `hsl(${hue} 48% 62%)`,
    deep: `hsl(${hue} 42% 44%)`,
  }
  return BASES[base](motif, shades)
}
