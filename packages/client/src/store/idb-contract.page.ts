import { openIdbStore } from './idb.ts'
import { STORE_CONTRACT } from './store.contract.ts'

let count = 0

/** Runs one case of the contract in this page, on a database of its own. */
export async function run(name: string): Promise<void> {
  const test = STORE_CONTRACT[name]
  if (test === undefined) throw new Error(`no case called ${name}`)
  await test(() => openIdbStore(`contract-${name}-${count++}`))
}
