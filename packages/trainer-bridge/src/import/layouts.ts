/** Which column of a click log is what; names, or numbers from 1 where the file has no header. */
export interface Mapping {
  readonly visitor: string
  readonly item: string
  readonly time: string
  /** Column with the milliseconds after `time`. */
  readonly millisecond?: string
  /** The visitor column names visits already. */
  readonly session: boolean
  /** Only rows with this value are clicks. */
  readonly keep?: { readonly column: string; readonly value: string }
  /** Rows with one of these values put their item into the basket, or are of one bought. */
  readonly basket?: { readonly column: string; readonly values: readonly string[] }
}

export interface Layout extends Mapping {
  readonly name: string
}

/** Published click logs. */
export const LAYOUTS: readonly Layout[] = [
  // RecSys Challenge 2015, yoochoose-clicks.dat: session, time, item, category; no header.
  { name: 'yoochoose', visitor: '1', time: '2', item: '3', session: true },
  // CIKM Cup 2016, train-item-views.csv: sessionId;userId;itemId;timeframe;eventdate
  {
    name: 'diginetica',
    visitor: 'sessionId',
    item: 'itemId',
    time: 'eventdate',
    millisecond: 'timeframe',
    session: true,
  },
  // RetailRocket, events.csv: timestamp,visitorid,event,itemid,transactionid
  {
    name: 'retailrocket',
    visitor: 'visitorid',
    item: 'itemid',
    time: 'timestamp',
    session: false,
    keep: { column: 'event', value: 'view' },
    basket: { column: 'event', values: ['addtocart', 'transaction'] },
  },
]
