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
import type { PlanPort } from './plan-port.ts';
import type { ProcessControl, Target } from './process-control.ts';

type Args = Readonly<Record<string, unknown>>;

/** What the supervisor's verbs act on. */
export interface SupervisorVerbContext {
  readonly control: ProcessControl;
  /** Ends the cluster and the supervisor, after the answer has left. */
  shutdown(): void;
  status(): SupervisorAnswers['status'];
  /** The certificates issued; none without TLS. */
  certificates(): readonly CertificateRow[];
  /** A connection to the supervisor's port was refused by TLS. */
  refused(fault: CertificateFault, from: string): void;
  /** Serves the page, if it is not yet served; resolves with its URL. */
  openPage(place: PagePlace): Promise<string>;
  /** Runs fault plans in this cluster; null: this supervisor runs none. */
  readonly plans: PlanPort | null;
}

interface SupervisorVerb<A> {
  readonly args: readonly string[];
  run(context: SupervisorVerbContext, args: Args): Promise<Told<A>> | Told<A>;
}
/** A verb without an answer answers null. */
type Told<A> = A extends null ? void : A;

/** A supervisor's verbs and their arguments. */
export const SUPERVISOR_VERBS: { readonly [V in keyof SupervisorAnswers]: SupervisorVerb<SupervisorAnswers[V]> } = {
  status: { args: [], run: ({ status }) => status() },
  ps: { args: [], run: ({ control }) => control.ps() },
  crash: { args: ['target'], run: ({ control }, args) => control.crash(target(args)) },
  restart: { args: ['target'], run: ({ control }, args) => control.restart(target(args)) },
  hang: { args: ['target', 'for_ms'], run: ({ control }, args) => control.hang(target(args), optionalMs(args)) },
  slow: {
    args: ['target', 'factor', 'for_ms'],
    run: ({ control }, args) => control.slow(slowedCore(args), factorOf(args), optionalMs(args)),
  },
  rogue: {
    args: ['target', 'behaviour', 'for_ms'],
    run: ({ control }, args) => control.rogue(coreOf(args), args['behaviour'], optionalMs(args)),
  },
  add_cores: { args: ['count'], run: ({ control }, args) => control.addCores(count(args)) },
  fault_add: { args: ['rule'], run: ({ control }, args) => control.addFault(args['rule']) },
  fault_heal: { args: ['target'], run: ({ control }, args) => control.heal(healed(args)) },
  faults: { args: [], run: ({ control }) => control.faults() },
  ui: {
    args: ['host', 'port', 'names'],
    run: async ({ openPage }, args) => ({ url: await openPage(placeOf(args)) }),
  },
  certs: { args: [], run: ({ certificates }) => certificates() },
  plan_begin: { args: ['text', 'folder'], run: (context, args) => beginPlan(plansOf(context), args) },
  plan_told: { args: ['from'], run: (context, args) => plansOf(context).told(fromLine(args)) },
  plan_stop: { args: [], run: (context) => plansOf(context).stop() },
  shutdown: { args: [], run: ({ shutdown }) => shutdown() },
};

/** Answers one control request; failures are in the answer. */
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

function coreOf(args: Args): number {
  const found = target(args);
  if (found === 'skb') throw new CommandError('the SKB is trusted: only a core can be made to misbehave');
  return found;
}

function optionalMs({ for_ms: forMs }: Args): number | null {
  if (forMs === undefined || forMs === null) return null;
  if (typeof forMs === 'number' && forMs > 0 && forMs <= Number.MAX_SAFE_INTEGER) return forMs;
  throw new CommandError('for_ms must be a number of milliseconds above 0');
}

function slowedCore(args: Args): number {
  const found = target(args);
  if (found === 'skb') throw new CommandError('only a core can be slowed');
  return found;
}

function factorOf({ factor }: Args): number {
  if (typeof factor === 'number' && factor > 1 && factor <= 1000) return factor;
  throw new CommandError('factor must be a number above 1 and up to 1,000');
}

function plansOf({ plans }: SupervisorVerbContext): PlanPort {
  if (plans !== null) return plans;
  throw new CommandError('this cluster belongs to a command that runs no plans; boot one with mk-launch');
}

function beginPlan(plans: PlanPort, { text, folder = null }: Args): Promise<void> {
  if (typeof text !== 'string') throw new CommandError('text must be that of a fault plan');
  if (folder !== null && typeof folder !== 'string') throw new CommandError('folder must be a path');
  return plans.begin(text, folder);
}

function fromLine({ from = 0 }: Args): number {
  if (isWhole(from)) return from;
  throw new CommandError('from must be the number of a line');
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
