import { readFile } from 'node:fs/promises'
import {
  createSigner,
  generateSigningKey,
  loadOrCreateSigningKey,
  parseSigningKey,
} from '../artifact/sign.ts'
import { CliError, type Command } from './command.ts'

/** `attune keys generate [--out FILE]`, `attune keys public --key FILE` */
export const keys: Command = {
  summary: 'make the key pair that signs models, or show its public half',
  usage: 'attune keys generate [--out FILE]   |   attune keys public --key FILE',
  options: { out: { type: 'string' }, key: { type: 'string' } },
  async run({ values, positionals }) {
    const [action] = positionals
    const { out, key: file } = values
    if (action === 'generate') {
      const key = typeof out === 'string' ? await loadOrCreateSigningKey(out) : await generateSigningKey()
      const { publicJwk, kid } = await createSigner(key)
      const where =
        typeof out === 'string'
          ? [`private key in ${out}, readable by you alone: ATTUNE_SIGNING_KEY of the bridge`]
          : []
      return {
        // Without a file the private half has nowhere else to go.
        result: { kid, public: publicJwk, ...(typeof out === 'string' ? { file: out } : { private: key }) },
        lines: [
          ...where,
          ...(typeof out === 'string'
            ? []
            : ['private key, ATTUNE_SIGNING_KEY of the bridge:', JSON.stringify(key)]),
          'public key, ATTUNE_VERIFY_KEYS of every edge:',
          JSON.stringify([publicJwk]),
        ],
      }
    }
    if (action === 'public' && typeof file === 'string') {
      const { publicJwk, kid } = await createSigner(parseSigningKey(await readFile(file, 'utf8')))
      return { result: { kid, public: publicJwk }, lines: [JSON.stringify([publicJwk])] }
    }
    throw new CliError('USAGE', action === 'public' ? '--key is missing' : 'expected `generate` or `public`')
  },
}
