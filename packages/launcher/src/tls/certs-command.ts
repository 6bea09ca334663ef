import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { CommandModule } from 'yargs';
import { makeDirectory } from '../cli/make-directory.ts';
import { processTerminal } from '../cli/terminal.ts';
import { UsageError } from '../cli/usage-error.ts';
import { wholeNumber } from '../cli/values.ts';

/** A process watches the list that exists when it starts. */
const EMPTY_LIST = '# Revoked certificates: a serial number or a SHA-256 fingerprint a line.\n';

/** `mk-launch certs FOLDER`: an authority and the certificates of a cluster, as files. */
export function certsCommand(done: (status: number) => void): CommandModule {
  return {
    command: 'certs <folder>',
    describe: 'make the certificates of a cluster: for --tls FOLDER, and for hosts of containers',
    builder: (cli) =>
      cli
        .positional('folder', {
          type: 'string',
          describe: 'the folder to write them into; an authority that is already there is used',
        })
        .option('cores', {
          type: 'string',
          requiresArg: true,
          default: '4',
          describe: 'core-0.pem and so on, one a core',
        })
        .option('any-core', {
          type: 'boolean',
          default: false,
          describe: 'also core.pem, valid for any core (for scaled containers)',
        })
        .option('days', { type: 'string', requiresArg: true, default: '365', describe: 'how long they are valid' })
        .option('only', {
          type: 'string',
          requiresArg: true,
          describe: 'renew one: skb, client, launcher, core-3, core',
        })
        .example('$0 certs tls --cores 8', 'then: mk-launch --cores 8 --tls tls')
        .example('$0 certs tls --only core-3', 'after the old one’s serial number went into tls/revoked.txt'),
    handler: async (args) => done(await makeCertificates(args)),
  };
}

async function makeCertificates(args: Readonly<Record<string, unknown>>): Promise<number> {
  const folder = resolve(String(args['folder']));
  const cores = wholeNumber('--cores', String(args['cores']), 1, 4096);
  const days = wholeNumber('--days', String(args['days']), 1, 36_500);
  const certificates = wanted(args, cores);
  makeDirectory(folder, 'certs');
  const { Authority } = await import('./authority.ts');
  const [caFile, caKeyFile] = [join(folder, 'ca.pem'), join(folder, 'ca.key')];
  const known = existsSync(caFile);
  // A new authority would invalidate every certificate that the old one issued.
  if (known && !existsSync(caKeyFile))
    throw new UsageError(`certs: ${caFile} is there without ca.key; put its key beside it, or name another folder`);
  const authority = known
    ? await Authority.load(readFileSync(caFile, 'utf8'), readFileSync(caKeyFile, 'utf8'))
    : await Authority.create('mk', days);
  if (!known) {
    writeFileSync(caFile, authority.ca);
    writeFileSync(caKeyFile, await authority.key(), { mode: 0o600 });
  }
  const list = join(folder, 'revoked.txt');
  if (!existsSync(list)) writeFileSync(list, EMPTY_LIST);
  const terminal = processTerminal();
  for (const [file, names] of certificates) {
    const { cert, key } = await authority.issue(names, days);
    writeFileSync(join(folder, `${file}.pem`), cert);
    writeFileSync(join(folder, `${file}.key`), key, { mode: 0o600 });
    terminal.out(`${file.padEnd(10)} ${new X509Certificate(cert).serialNumber.toLowerCase()}`);
  }
  terminal.out(`${known ? 'used' : 'made'} the authority ${caFile}; ca.key stays with you: no process needs it`);
  return 0;
}

/** File and names of each certificate. */
function wanted(
  args: Readonly<Record<string, unknown>>,
  cores: number,
): readonly (readonly [string, readonly string[]])[] {
  const numbered = Array.from({ length: cores }, (_, core) => `core-${core}`);
  const any = args['any-core'] === true ? ['core'] : [];
  const only = args['only'];
  const files = only === undefined ? ['skb', 'launcher', 'client', ...numbered, ...any] : [String(only)];
  const unknown = files.find((file) => !/^(?:skb|launcher|client|core|core-\d{1,5})$/.test(file));
  if (unknown !== undefined)
    throw new UsageError(
      `--only: ${JSON.stringify(unknown)} has no certificate; choose skb, launcher, client, core-3 or core`,
    );
  return files.map((file) => [file, [file === 'core' ? 'core-*' : file]]);
}
