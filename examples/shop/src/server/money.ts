const EURO = new Intl.NumberFormat('en-IE', { style: 'currency', currency: 'EUR' })

/** Cents → "€4.20". */
export function money(cents: number): string {
  return EURO.format(cents / 100)
}
