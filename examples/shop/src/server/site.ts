/** What every page needs to know of the shop it belongs to. */
export interface Site {
  readonly assets: { readonly script: string; readonly styles: string; readonly fonts: readonly string[] }
  /** Where the edge answers, as the browser sees it. */
  readonly endpoint: string
  /** Public key of the site. */
  readonly siteKey: string
  /** How many made-up shoppers and clicks the first model learnt from. */
  readonly training: { readonly shoppers: number; readonly clicks: number }
}

/** Cards of one list: as many as make whole rows at every width. */
export const LIST_LENGTH = 12
