/** A local account's admin side: what happens to real accounts by themselves. */
export interface AdminSide {
  readonly adminEndpoint: string
}

export async function admin(
  { adminEndpoint }: AdminSide,
  method: string,
  path: string,
  body: unknown = {},
): Promise<unknown> {
  const response = await fetch(`${adminEndpoint}/api/${path}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`)
  return response.json()
}

/** Splits a range of a container, the first when none is named. */
export async function split(side: AdminSide, container: string, range?: string): Promise<void> {
  await admin(side, 'POST', `containers/attune/${container}/split`, { ...(range !== undefined && { range }) })
}

/** Joins a range with the next one. */
export async function merge(side: AdminSide, container: string, range?: string): Promise<void> {
  await admin(side, 'POST', `containers/attune/${container}/merge`, { ...(range !== undefined && { range }) })
}
