// Makes the Python with Spark and PyTorch where it is not there yet, and prints where it is, as one line of JSON.
import { SPARK, sparkPython } from './python.ts'

const found = await sparkPython()
if ('missing' in found) {
  process.stderr.write(`${found.missing}\n`)
  process.exit(3)
}
process.stdout.write(`${JSON.stringify({ ...found, scripts: SPARK })}\n`)
