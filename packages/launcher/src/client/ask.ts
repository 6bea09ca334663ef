import { type Access, type CallOptions, callControl } from '@mk/libmk/io/control-call';
import type { AnswerOf } from '@mk/node-kernel/control/verb-answers';
import type { Answers } from './answers.ts';

/**
 * Calls a verb of one kind of process; resolves with that verb's answer. Both ends are compiled against the same rows
 * (`Answers`), and a process of another version could not have joined, so the form of the answer is not checked again.
 * Rejects with a ControlError.
 */
export function askProcess<K extends keyof Answers, V extends string>(
  _kind: K,
  address: string,
  access: Access,
  verb: V,
  args: object = {},
  options: CallOptions = {},
): Promise<AnswerOf<Answers[K], V>> {
  return callControl(address, access, verb, args, options) as Promise<AnswerOf<Answers[K], V>>;
}
