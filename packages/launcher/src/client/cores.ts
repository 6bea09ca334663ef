import type { CallOptions } from '@mk/libmk/io/control-call';
import type { Answers } from './answers.ts';
import type { AnswerOf } from '@mk/node-kernel/control/verb-answers';
import type { CoreId } from '@mk/monitor-proto/ids';
import { coresUp as upAmong } from '@mk/libmk/io/core-row';
import type { CoreRow } from '@mk/monitor-proto/knowledge/core-row';
import type { AskCores } from '@mk/libmk/io/domains';

/** A core of the cluster that cannot be asked, and why. */
export interface AbsentCore {
  readonly core: CoreId;
  readonly why: string;
}

/**
 * What observers and users of cores need of a cluster: one that mkctl reaches, one in this process, a simulated one.
 */
export interface Cores extends AskCores {
  /** Calls a verb of a core's control port. */
  core<V extends string>(
    core: CoreId,
    verb: V,
    args?: object,
    options?: CallOptions,
  ): Promise<AnswerOf<Answers['core'], V>>;
  /** Cores that were started and have ended or hang, if anybody knows. */
  absent?(): Promise<readonly AbsentCore[]>;
  /** Runs work that may take long; `describe` names, on request, the peers that it waits for. */
  waiting?<T>(describe: () => string | Promise<string>, call: () => Promise<T>): Promise<T>;
}

/** The cores' answers, or why there are none; a silent core does not delay the others. */
export interface EachAnswer<T> {
  readonly answers: readonly { readonly core: CoreId; readonly value: T }[];
  readonly absent: readonly AbsentCore[];
}

/** Distance between the incarnations of two lives of the SKB (decision 0051). */
const LIVES_APART = 100_000;

/** The cores that are up, ascending. */
export async function coresUp(cluster: Cores): Promise<readonly number[]> {
  return upAmong(await cluster.cores());
}

/** The restarted cores: everything their earlier lives held is gone. */
export function rebornCores(rows: readonly CoreRow[]): readonly number[] {
  const first = rows.reduce((least, { incarnation }) => Math.min(least, incarnation), Infinity);
  return rows
    .filter(({ incarnation }) => incarnation > first || (incarnation - 1) % LIVES_APART > 0)
    .map(({ core }) => core);
}

/** Asks several cores at once: their answers, and why others gave none. */
export async function askCores<T>(cores: readonly number[], ask: (core: CoreId) => Promise<T>): Promise<EachAnswer<T>> {
  const answers: { core: CoreId; value: T }[] = [];
  const absent: AbsentCore[] = [];
  await Promise.all(
    cores.map((core) =>
      ask(core).then(
        (value) => void answers.push({ core, value }),
        (error: Error) => void absent.push({ core, why: error.message.replace(/; see mkctl ps$/, '') }),
      ),
    ),
  );
  return { answers: answers.sort(byCore), absent: absent.sort(byCore) };
}

/** Why a process's state makes its core absent; empty if it runs. */
export function absentBy(core: CoreId, state: string, how: string): readonly AbsentCore[] {
  if (state === 'hung') return [{ core, why: 'it hangs' }];
  return state === 'ended' ? [{ core, why: `its process has ended (${how})` }] : [];
}

function byCore(a: { readonly core: CoreId }, b: { readonly core: CoreId }): number {
  return a.core - b.core;
}
