import { createPrivateKey, X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { asError, codeOf } from '@mk/monitor-proto/thrown';
import type { TlsSettings } from '@mk/monitor-proto/io/tls';

/** Where a process's TLS credentials are: a folder for all, or single files. */
export interface CredentialPlace {
  readonly folder?: string | undefined;
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly revoked?: string | undefined;
}

/** Files are missing or wrong: one line that says which, and what helps. */
export class CredentialsError extends Error {
  override readonly name = 'CredentialsError';
}

type CredentialVariable = 'MK_TLS_DIR' | 'MK_TLS_CA' | 'MK_TLS_CERT' | 'MK_TLS_KEY' | 'MK_TLS_REVOKED';

/** The environment's settings of the place. */
export function placeInEnvironment(environment: Readonly<Record<string, string | undefined>>): CredentialPlace {
  const of = (name: CredentialVariable): string | undefined => environment[name] || undefined;
  return {
    folder: of('MK_TLS_DIR'),
    ca: of('MK_TLS_CA'),
    cert: of('MK_TLS_CERT'),
    key: of('MK_TLS_KEY'),
    revoked: of('MK_TLS_REVOKED'),
  };
}

/** Whether anything asks for TLS. */
export function asksForTls({ folder, ca, cert, key }: CredentialPlace): boolean {
  return [folder, ca, cert, key].some((part) => part !== undefined);
}

/**
 * The credentials of the process that goes by one of these names, the first that has a file. A CredentialsError names the file that
 * is missing or wrong.
 */
export function readCredentials(place: CredentialPlace, names: readonly string[]): TlsSettings {
  const ca = read('authority’s certificate', place.ca ?? inFolder(place, ['ca.pem', 'ca.crt']));
  const certFiles = [...names.map((name) => `${name}.pem`), 'cert.pem', 'tls.crt'];
  const certFile = place.cert ?? inFolder(place, certFiles);
  const cert = read('certificate', certFile);
  const keyFile = place.key ?? (place.cert === undefined ? keyBeside(certFile) : null);
  const key = read('key', keyFile);
  checkCredentials(String(certFile), { ca, cert, key });
  const listed = place.revoked ?? inFolder(place, ['revoked.txt']);
  if (place.revoked !== undefined) read('list of revoked certificates', place.revoked);
  return listed === null || !existsSync(listed) ? { ca, cert, key } : { ca, cert, key, revoked: listed };
}

/** The first of these files that exists; if none does, the first, so that an error names it. */
function inFolder({ folder }: CredentialPlace, files: readonly string[]): string | null {
  if (folder === undefined) return null;
  const paths = files.map((file) => join(folder, file));
  return paths.find((path) => existsSync(path)) ?? paths[0] ?? null;
}

function keyBeside(cert: string | null): string | null {
  if (cert === null) return null;
  if (cert.endsWith('cert.pem')) return cert.replace(/cert\.pem$/, 'key.pem');
  return cert.replace(/\.(?:pem|crt)$/, '.key');
}

function read(what: string, file: string | null): string {
  if (file === null)
    throw new CredentialsError(`TLS needs the ${what}: name a folder (--tls, MK_TLS_DIR), or the files one by one`);
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const why = codeOf(error) === 'ENOENT' ? 'no such file' : asError(error).message;
    throw new CredentialsError(`TLS: the ${what} ${file} cannot be read (${why}); mk-launch certs makes such files`);
  }
}

/**
 * Throws a CredentialsError unless these are certificates and the key belongs to the second; `title` names that one.
 */
export function checkCredentials(title: string, { ca, cert, key }: TlsSettings): void {
  const shown = parsed(title, () => new X509Certificate(cert));
  parsed('the authority’s certificate (ca)', () => new X509Certificate(ca));
  const own = parsed(`the key of ${title}`, () => createPrivateKey(key));
  if (!shown.checkPrivateKey(own)) throw new CredentialsError(`TLS: the key is not that of ${title}`);
}

function parsed<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new CredentialsError(`TLS: ${what} is not readable PEM (${asError(error).message})`);
  }
}
