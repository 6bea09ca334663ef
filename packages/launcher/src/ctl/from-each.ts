import type { CoreId } from '@mk/monitor-proto/ids';
import type { AnswerOf } from '@mk/node-kernel/control/verb-answers';
import type { CoreAnswers } from '../client/answers.ts';
import { askCores } from '../client/cores.ts';
import { CommandError } from '../cli/usage-error.ts';
import type { CtlContext } from './context.ts';

/** A core only looks something up, and answers at once; one that does not within this time hangs, or gets no CPU. */
const ANSWER_MS = 5000;

/** The cores' answers. Silent cores are named without delaying the others; the exit status is then 1. */
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
      // Naming a core that does not exist is the caller's mistake; one that does not answer is out of reach.
      if (error instanceof CommandError) status = error.exitCode;
      throw error;
    }),
  );
  const [first] = absent;
  if (answers.length === 0 && first !== undefined) throw new CommandError(first.why, status);
  for (const { core, why } of absent) terminal.error(`mkctl: core ${core} is left out: ${why}`);
  return { values: answers, status: absent.length === 0 ? 0 : 1 };
}
