/*
 * One process of a cluster without a launcher: `mk-node skb`, `mk-node core`, configured by environment variables
 * (node-settings.ts). It becomes the SKB or the core in the same process, so signals and logs are the kernel's own. For
 * container checks, `mk-node health` asks this host's process whether it is well, `mk-node health alive` whether it
 * answers.
 */
import { asError } from '@mk/monitor-proto/thrown';
import '../cli/working-folder.ts';
import { createRequire } from 'node:module';
import { networkInterfaces } from 'node:os';
import { formatAddress } from '@mk/monitor-proto/address';
import type { PagePlace } from '../boot/page-place.ts';
import { coreProgram, skbProgram } from '../boot/programs.ts';
import { guardStandardOutput } from '../cli/standard-output.ts';
import { VERSION } from '@mk/monitor-proto/version';
import {
  guards,
  healthAddress,
  NODE_VARIABLES,
  type NodeFacts,
  type NodeRole,
  nodeSettings,
  pagePlace,
  unknownVariables,
  variable,
} from '../node/node-settings.ts';
import { connectionsOver, fetchText } from '@mk/libmk/io/control-call';
import { UsageError } from '../cli/usage-error.ts';
import { containerName } from '../node/container-name.ts';
import { readOrMakeSecret, waitForSecret } from '../node/secret-file.ts';

const SECRET_WAIT_MS = 30_000;
const HEALTH_TIMEOUT_MS = 2500;

const COMMANDS: Readonly<Record<string, () => void | Promise<void>>> = {
  skb: () => become('skb'),
  core: () => become('core'),
  health,
};

async function become(role: NodeRole): Promise<void> {
  // Until the kernel installs its own handlers: process 1 of a container ignores unhandled signals.
  const quit = (): never => process.exit(0);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, quit);
  const machine = role === 'skb' && variable(process.env, 'MK_MACHINE') !== '' ? await machineLoader() : () => '';
  const address = ownAddress();
  const name = variable(process.env, 'MK_ADVERTISE_HOST') === '' ? await containerName(address) : null;
  const facts = { secret: await secretFor(role), address, name, machine };
  const settings = oneLine(() => nodeSettings(role, process.env, facts));
  if (typeof settings === 'string') return fail(settings);
  for (const { name } of unknownVariables(process.env))
    process.stderr.write(`mk-node: ${name} is unknown and ignored; mk-node --help lists the variables\n`);
  if (variable(process.env, 'MK_TRANSPORT') === 'unix' && settings.socketDir === undefined)
    process.stderr.write(
      'mk-node: MK_TRANSPORT=unix without MK_SOCKET_DIR, a folder that the processes share: links run over tcp\n',
    );
  const { machine: described = null, ...told } = { machine: null, ...settings };
  const page = role === 'skb' ? pagePlace(process.env, address) : null;
  if (typeof page === 'string') return fail(page);
  process.env[role === 'skb' ? 'MK_SKB' : 'MK_CORE'] = JSON.stringify(told);
  createRequire(import.meta.url)(role === 'skb' ? skbProgram() : coreProgram());
  // The SKB takes the machine from its parent's message: this process is its own parent.
  if (described !== null) process.emit('message', { type: 'machine', machine: described }, undefined);
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.off(signal, quit);
  if (page !== null) await servePage(page, address, settings.secret);
}

/** The SKB's process serves the cluster's page; failing to serve it does not stop the SKB. */
async function servePage(place: PagePlace, address: string, secret: string): Promise<void> {
  const { openLivePage } = await import('../ui/open-page.ts');
  const skb = formatAddress(healthAddress(process.env, address));
  try {
    const { url } = await openLivePage(place, { skb }, { ...process.env, MK_SECRET: secret, MK_SECRET_FILE: '' });
    process.stderr.write(`mk-node: the page is at ${url}; mkctl ui --token prints what one needs to act\n`);
  } catch (error) {
    process.stderr.write(`mk-node: no page: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}

/** Descriptions are YAML or XML: their parsers are loaded only when a machine is named. */
async function machineLoader(): Promise<NodeFacts['machine']> {
  const [{ machinesDirectory }, { loadMachine }, { forCores }] = await Promise.all([
    import('../boot/machine.ts'),
    import('@mk/machine/io/load'),
    import('@mk/machine/resize'),
  ]);
  return (name, cores) => {
    const loaded = loadMachine(name, machinesDirectory());
    return loaded.ok ? forCores(loaded.value, cores) : loaded.error;
  };
}

async function secretFor(role: NodeRole): Promise<string> {
  const given = variable(process.env, 'MK_SECRET');
  const file = variable(process.env, 'MK_SECRET_FILE');
  if (given !== '' || file === '') return given;
  try {
    if (role === 'skb') return readOrMakeSecret(file);
    return (
      (await waitForSecret(file, SECRET_WAIT_MS)) ??
      fail(`${file} did not appear within ${SECRET_WAIT_MS / 1000} s; the SKB makes it: does it run?`)
    );
  } catch (error) {
    return fail(`cannot use MK_SECRET_FILE: ${asError(error).message}`);
  }
}

/** This host's first address that other hosts can reach; IPv4 if there is one. */
function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  const outward = all.filter(({ internal, address }) => !internal && !/^fe[89ab]/i.test(address));
  const first = outward.find(({ family }) => family === 'IPv4') ?? outward[0];
  return first?.address ?? '127.0.0.1';
}

/** The process's own certificate also serves to ask itself. */
async function health(): Promise<void> {
  const address = formatAddress(healthAddress(process.env, ownAddress()));
  const { tls, metricsToken = '' } = oneLine(() => guards('any', process.env));
  const access = { token: metricsToken, connections: connectionsOver(tls ?? null) };
  try {
    const { status, body } = await fetchText(address, access, '/healthz', HEALTH_TIMEOUT_MS);
    process.stdout.write(body, () => process.exit(status === 200 || process.argv[3] === 'alive' ? 0 : 1));
  } catch (error) {
    fail(asError(error).message, 1);
  }
}

/** Reports a wrong setting of the process in one line. */
function oneLine<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof UsageError) return fail(error.message);
    throw error;
  }
}

function fail(text: string, status = 2): never {
  process.stderr.write(`mk-node: ${text}\n`);
  process.exit(status);
}

function help(): string {
  const rows = Object.entries(NODE_VARIABLES).map(
    ([name, { otherwise, doc }]) => `  ${name.padEnd(18)} ${doc}${otherwise === '' ? '' : ` [${otherwise}]`}`,
  );
  return [
    'mk-node skb | core | health [alive]',
    'mk-node --help | --version',
    '',
    'Runs one process of a cluster, configured by its environment:',
    ...rows,
    '',
  ].join('\n');
}

guardStandardOutput('mk-node');
const [word = ''] = process.argv.slice(2);
const command = Object.hasOwn(COMMANDS, word) ? COMMANDS[word] : undefined;
if (word === '--help' || word === '-h') process.stdout.write(help());
else if (word === '--version') process.stdout.write(`${VERSION}\n`);
else if (command === undefined)
  fail(`${word === '' ? 'say' : `no command ${word};`} mk-node skb, mk-node core or mk-node health; see --help`);
else void command();
