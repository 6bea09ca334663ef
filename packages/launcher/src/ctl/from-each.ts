import type { CoreId } from '@mk/monitor-proto/ids';
import type { AnswerOf } from '@mk/node-kernel/control/verb-answers';
import type { CoreAnswers } from '../client/answers.ts';
import { askCores } from '../client/cores.ts';
import { CommandError } from '../cli/usage-error.ts';
import type { CtlContext } from './context.ts';

/** A core that looks something up answers at once; one that does not within this time hangs, or has no CPU. */
const ANSWER_MS = 5000;

/** Each core's answer. Silent cores are named without holding up the others; the exit status is then 1. */
export interface Shown<T> {
  readonly values: readonly { readonly core: CoreId; readonly value: T }[];
  readonly status: number;
}

/** Asks these cores to show something. Throws when none answers. */
export async function fromEach<V extends keyof CoreAnswers>(
  { cluster, terminal }: CtlContext,
  cores: readonly number[],
  verb: V,
): Promise<Shown<AnswerOf<CoreAnswers, V>>> {
  let status: 1 | 2 = 2;
  const { answers, absent } = await askCores(cores, (core) =>
    cluster.core(core, verb, {}, { timeoutMs: ANSWER_MS }).catch((error: unknown) => {
      // A core that does not exist is the caller's mistake; one that does not answer cannot be reached.
      if (error instanceof CommandError) status = error.exitCode;
      throw error;
    }),
  );
  const [first] = absent;
  if (answers.length === 0 && first !== undefined) throw new CommandError(first.why, status);
  for (const { core, why } of absent) terminal.error(`mkctl: core ${core} is left out: ${why}`);
  return { values: answers, status: absent.length === 0 ? 0 : 1 };
}
