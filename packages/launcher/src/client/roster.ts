import { isRecord } from '@mk/monitor-proto/guards';
import { asError } from '@mk/monitor-proto/thrown';
import { known } from '@mk/monitor-proto/assert';
import { title } from '../boot/boot-machine.ts';
import { isRunning } from '@mk/libmk/io/process-identity';
import type { ProcessRow } from './answers.ts';
import type { ClusterClient } from './cluster-client.ts';
import { type Access, fetchText } from '@mk/libmk/io/control-call';

/** A process that should be there, and its state. */
export interface Attendance {
  /** `skb`, `core-3`, `supervisor`. */
  readonly process: string;
  readonly address: string;
  /** `silent`: it should be running, but does not answer. */
  readonly state: 'running' | 'starting' | 'hung' | 'silent' | 'ended';
  /** The problem and its remedy; null: none. */
  readonly reason: string | null;
  /** HTTP status of /healthz; 0: it did not answer, or was not asked. */
  readonly status: number;
  readonly detail: Readonly<Record<string, unknown>>;
}

type Expected = Pick<Attendance, 'process' | 'address' | 'state' | 'reason'>;

/** A process that has not answered within this time hangs or gets no CPU: both are worth reporting. */
const ANSWER_MS = 3000;

/**
 * Every process that should be running: the SKB, every core ever started, and the supervisor if there is one. Asks each
 * how it is. Resolves within `ANSWER_MS`, whoever hangs.
 */
export async function roster(cluster: ClusterClient): Promise<readonly Attendance[]> {
  return Promise.all((await expected(cluster)).map((who) => ask(who, cluster.access)));
}

async function expected(cluster: ClusterClient): Promise<readonly Expected[]> {
  if (cluster.record === null) return unlaunched(cluster);
  if (!cluster.supervised) return orphans(cluster);
  return (await cluster.supervisor('ps')).map(ofSupervisor);
}

function ofSupervisor({ name, state, address, how }: ProcessRow): Expected {
  const target = name.replace('core-', '');
  const base = { process: name, address };
  if (state === 'hung') return { ...base, state, reason: `hangs (SIGSTOP); mkctl heal wakes it` };
  if (state === 'ended') return { ...base, state, reason: `ended (${how}); mkctl restart ${target} starts it again` };
  return { ...base, state: state === 'running' ? 'running' : 'starting', reason: null };
}

/** The processes that should be there according to the last record of a supervisor that is gone. */
function orphans({ record, name }: ClusterClient): readonly Expected[] {
  const processes = known(record).processes.map((process): Expected => {
    const runs = isRunning(process);
    const base = { process: process.name, address: process.address };
    return runs
      ? { ...base, state: 'running', reason: null }
      : { ...base, state: 'ended', reason: 'ended, and its supervisor is gone' };
  });
  const reason = `is gone: nobody watches the others; mk-launch takeover --name ${name} does from then on, mkctl down --cluster ${name} ends them`;
  return [{ process: 'supervisor', address: '', state: 'ended', reason }, ...processes];
}

/** A cluster that no launcher of this host started: the SKB knows its members, and how many there should be. */
async function unlaunched(cluster: ClusterClient): Promise<readonly Expected[]> {
  const running = { state: 'running', reason: null } as const;
  return (await cluster.endpoints()).map(({ process, address }) => ({ process, address, ...running }));
}

async function ask(who: Expected, access: Access): Promise<Attendance> {
  if (who.reason !== null || who.address === '') {
    const reason = who.reason ?? `${title(who.process)} is still starting`;
    return { ...who, reason, status: 0, detail: {} };
  }
  try {
    const { status, body } = await fetchText(who.address, access, '/healthz', ANSWER_MS);
    const detail = parse(body);
    return { ...who, status, detail, reason: status === 200 ? null : reasonOf(detail) };
  } catch (error) {
    return { ...who, state: 'silent', status: 0, detail: {}, reason: asError(error).message };
  }
}

/** Why a process reports itself unhealthy. */
function reasonOf(detail: Readonly<Record<string, unknown>>): string {
  const { core, members, expected: wanted, journal } = detail;
  if (core !== 'skb') return 'is not bound to every other member yet, or no longer';
  const reasons = [
    typeof members === 'number' && typeof wanted === 'number' && members < wanted
      ? `${members} of ${wanted} cores are members`
      : '',
    typeof journal === 'string' && journal.startsWith('failed') ? `its journal has ${journal}` : '',
    detail['facts'] === undefined ? '' : `facts are missing: ${JSON.stringify(detail['facts'])}`,
  ].filter(Boolean);
  return reasons.join('; ') || 'not every member is bound to every other one';
}

function parse(body: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(body);
    return isRecord(value) ? value : { body };
  } catch {
    return { body };
  }
}
