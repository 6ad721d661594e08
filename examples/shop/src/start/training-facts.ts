import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TrainingFacts } from './parts.ts'

const FILE = 'training.json'

export async function keepTrainingFacts(folder: string, facts: TrainingFacts): Promise<void> {
  const path = join(folder, FILE)
  await writeFile(`${path}.new`, JSON.stringify(facts, null, 2))
  await rename(`${path}.new`, path)
}

/** What the first model was trained on. @throws when it has not been trained */
export async function trainingFacts(folder: string): Promise<TrainingFacts> {
  return JSON.parse(await readFile(join(folder, FILE), 'utf8')) as TrainingFacts
}
