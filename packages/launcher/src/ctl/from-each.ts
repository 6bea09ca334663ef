import { type Answers, askEach } from '../client/cores.ts';
import { CommandError } from '../cli/usage-error.ts';
import type { CtlContext } from './context.ts';

/** A core that looks something up answers at once; one that does not within this hangs, or has no CPU. */
const ANSWER_MS = 5000;

/** What each core answers. Who does not is named and does not hold up the others; the exit status is 1 then. */
export interface Shown<T> {
  readonly values: Answers<T>['answers'];
  readonly status: number;
}

/** Asks these cores to show something. Throws when none of them answers. */
export async function fromEach<T>(
  { cluster, terminal }: CtlContext,
  cores: readonly number[],
  verb: string,
): Promise<Shown<T>> {
  let status: 1 | 2 = 2;
  const { answers, absent } = await askEach<T>(cores, (core) =>
    cluster.core(core, verb, {}, { timeoutMs: ANSWER_MS }).catch((error: unknown) => {
      // A core that does not exist is a mistake of the caller; one that does not answer cannot be reached.
      if (error instanceof CommandError) status = error.exitCode;
      throw error;
    }),
  );
  const [first] = absent;
  if (answers.length === 0 && first !== undefined) throw new CommandError(first.why, status);
  for (const { core, why } of absent) terminal.error(`mkctl: nothing of core ${core} is shown: ${why}`);
  return { values: answers, status: absent.length === 0 ? 0 : 1 };
}
