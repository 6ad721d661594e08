import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const execute = promisify(execFile)

/** Files in PEM. */
export interface Certificate {
  readonly key: string
  readonly cert: string
}

/** A certificate authority of the rehearsal's own, good for a day. */
export async function makeAuthority(folder: string, name: string): Promise<Certificate> {
  const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.crt`)]
  const request = 'req -x509 -newkey rsa:2048 -nodes -days 1'.split(' ')
  await execute('openssl', [...request, '-subj', `/CN=${name}`, '-keyout', key, '-out', cert])
  return { key, cert }
}

/** A certificate for `localhost` and for clients, signed by an authority; `tls` names its files. */
export async function issue(
  authority: Certificate,
  folder: string,
  commonName: string,
  file = commonName,
): Promise<Certificate> {
  const [key, cert] = [join(folder, `${file}.key`), join(folder, `${file}.crt`)]
  const [request, extensions] = [join(folder, `${file}.csr`), join(folder, `${file}.ext`)]
  const subject = ['-subj', `/CN=${commonName}`]
  await execute('openssl', [
    'req',
    '-newkey',
    'rsa:2048',
    '-nodes',
    ...subject,
    '-keyout',
    key,
    '-out',
    request,
  ])
  await writeFile(extensions, 'subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth,clientAuth\n')
  const by = ['-CA', authority.cert, '-CAkey', authority.key, '-CAcreateserial', '-extfile', extensions]
  await execute('openssl', ['x509', '-req', '-days', '1', '-in', request, '-out', cert, ...by])
  return { key, cert }
}
