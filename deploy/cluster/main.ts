// The manifests on a real Kubernetes API server: node --conditions=@attune/source deploy/cluster/main.ts
import { buildBinaries } from './binaries.ts'
import { rehearse } from './rehearse.ts'

const binaries = await buildBinaries((text) => {
  console.error(text)
})
console.log(JSON.stringify(await rehearse(binaries)))
