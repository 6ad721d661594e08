import { runProgram } from './_cosmos-program.ts'

interface Rehearsal {
  readonly images: readonly {
    readonly image: string
    readonly bytes: number
    readonly reproducible: boolean
    readonly user: string
  }[]
}

/**
 * Both images built twice by buildah from their multi-stage recipe, and started from the manifests' commands: needs
 * root, buildah, debootstrap, and their registries: `npm run bench -- images --json`.
 */
export async function run(): Promise<Record<string, unknown>> {
  const { images } = (await runProgram('deploy/images/rehearse.ts', [])) as unknown as Rehearsal
  for (const { image, reproducible, user } of images) {
    if (!reproducible) throw new Error(`${image}: expected the same id when built again from nothing`)
    if (user !== '10001:10001') throw new Error(`${image}: expected user 10001:10001, received ${user}`)
  }
  return { bench: 'images', images }
}
