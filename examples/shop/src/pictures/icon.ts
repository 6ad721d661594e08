import { createRequire } from 'node:module'
import { CodedError } from '@attune/core'

export type PictureErrorCode = 'ICON_UNKNOWN'

/** The icon set has no such icon. */
export class PictureError extends CodedError<PictureErrorCode> {
  override readonly name = 'PictureError'
}

interface IconSet {
  readonly icons: Readonly<Record<string, { readonly body: string }>>
  readonly aliases: Readonly<Record<string, { readonly parent: string }>>
}

/** Fluent Emoji Flat by Microsoft, MIT. */
const icons = createRequire(import.meta.url)('@iconify-json/fluent-emoji-flat/icons.json') as IconSet

/**
 * The inside of an icon's SVG, for a view box of 32 × 32.
 *
 * @throws {PictureError} `ICON_UNKNOWN`
 */
export function iconBody(name: string): string {
  const body = (icons.icons[name] ?? icons.icons[icons.aliases[name]?.parent ?? ''])?.body
  if (body === undefined)
    throw new PictureError('ICON_UNKNOWN', `icon: expected one of Fluent Emoji Flat, received ${name}`)
  return body
}
