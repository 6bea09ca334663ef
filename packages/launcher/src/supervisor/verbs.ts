import type { SupervisorAnswers } from '../client/answers.ts';
import { isKeyOf } from '@mk/monitor-proto/tables';
import { isWhole } from '@mk/monitor-proto/guards';
import { isIP } from 'node:net';
import type { ControlReply } from '@mk/monitor-proto/step';
import type { CertificateFault } from '@mk/monitor-proto/certificate-errors';
import { type HealTarget, isHealTarget } from '@mk/monitor-proto/link/rule-state';
import { CommandError } from '../cli/usage-error.ts';
import type { PagePlace } from '../boot/page-place.ts';
import type { CertificateRow } from '../tls/certificate-desk.ts';
import type { ProcessControl, Target } from './process-control.ts';

type Args = Readonly<Record<string, unknown>>;

/** What the supervisor's verbs work on. */
export interface SupervisorVerbContext {
  readonly control: ProcessControl;
  /** Ends the cluster and the supervisor, after the answer has left. */
  shutdown(): void;
  status(): object;
  /** The certificates that were given out; none where the cluster speaks no TLS. */
  certificates(): readonly CertificateRow[];
  /** A connection to the supervisor's port was refused by TLS. */
  refused(fault: CertificateFault, from: string): void;
  /** Serves the page, if it is not served yet; its URL. */
  openPage(place: PagePlace): Promise<string>;
}

interface SupervisorVerb<A> {
  readonly args: readonly string[];
  run(context: SupervisorVerbContext, args: Args): Promise<Told<A>> | Told<A>;
}
/** A verb that answers nothing answers null. */
type Told<A> = A extends null ? void : A;

/** What can be asked of a supervisor, and what it takes. */
export const SUPERVISOR_VERBS: { readonly [V in keyof SupervisorAnswers]: SupervisorVerb<SupervisorAnswers[V]> } = {
  status: { args: [], run: ({ status }) => status() },
  ps: { args: [], run: ({ control }) => control.ps() },
  crash: { args: ['target'], run: ({ control }, args) => control.crash(target(args)) },
  restart: { args: ['target'], run: ({ control }, args) => control.restart(target(args)) },
  hang: { args: ['target', 'for_ms'], run: ({ control }, args) => control.hang(target(args), optionalMs(args)) },
  add_cores: { args: ['count'], run: ({ control }, args) => control.addCores(count(args)) },
  fault_add: { args: ['rule'], run: ({ control }, args) => control.addFault(args['rule']) },
  fault_heal: { args: ['target'], run: ({ control }, args) => control.heal(healed(args)) },
  faults: { args: [], run: ({ control }) => control.faults() },
  ui: {
    args: ['host', 'port', 'names'],
    run: async ({ openPage }, args) => ({ url: await openPage(placeOf(args)) }),
  },
  certs: { args: [], run: ({ certificates }) => certificates() },
  shutdown: { args: [], run: ({ shutdown }) => shutdown() },
};

/** Answers one control request; what goes wrong is in the answer. */
export async function runSupervisorVerb(
  context: SupervisorVerbContext,
  verb: string,
  args: Args,
): Promise<ControlReply> {
  const row = isKeyOf(SUPERVISOR_VERBS, verb) ? SUPERVISOR_VERBS[verb] : undefined;
  if (row === undefined)
    return bad(`no verb ${verb.slice(0, 40)}; a supervisor knows ${Object.keys(SUPERVISOR_VERBS).join(', ')}`);
  const unknown = Object.keys(args).find((name) => !row.args.includes(name));
  if (unknown !== undefined)
    return bad(`${verb}: ${unknown} is unknown; it takes ${row.args.join(', ') || 'no arguments'}`);
  try {
    return { ok: true, value: (await row.run(context, args)) ?? null };
  } catch (error) {
    if (error instanceof CommandError) return { ok: false, error: 'REFUSED', text: error.message };
    return { ok: false, error: 'FAILED', text: error instanceof Error ? error.message : String(error) };
  }
}

function target({ target }: Args): Target {
  if (target === 'skb' || isWhole(target)) return target;
  throw new CommandError('target must be a core number or "skb"');
}

function healed({ target }: Args): HealTarget {
  if (isHealTarget(target)) return target;
  throw new CommandError('heal what: "all", {id} or {from, to}');
}

function optionalMs({ for_ms: forMs }: Args): number | null {
  if (forMs === undefined || forMs === null) return null;
  if (typeof forMs === 'number' && forMs > 0 && forMs <= Number.MAX_SAFE_INTEGER) return forMs;
  throw new CommandError('for_ms must be a number of milliseconds above 0');
}

function count({ count }: Args): number {
  if (isWhole(count, 1, 4096)) return count;
  throw new CommandError('count must be a whole number from 1 to 4096');
}

function placeOf({ host = '127.0.0.1', port = 0, names = [] }: Args): PagePlace {
  if (typeof host !== 'string' || isIP(host) === 0) throw new CommandError('host must be an IP address of this host');
  if (typeof port !== 'number' || !Number.isSafeInteger(port) || port < 0 || port > 65_535)
    throw new CommandError('port must be a whole number from 0 to 65535');
  if (!Array.isArray(names) || !names.every((name) => typeof name === 'string'))
    throw new CommandError('names must be a list of host names');
  return { host, port, names };
}

function bad(text: string): ControlReply {
  return { ok: false, error: 'BAD_REQUEST', text };
}
