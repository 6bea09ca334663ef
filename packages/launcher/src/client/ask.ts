import { type Access, type CallOptions, callControl } from '@mk/libmk/io/control-call';
import type { AnswerOf } from '@mk/node-kernel/control/verb-answers';
import type { Answers } from './answers.ts';

/**
 * Asks a process of one kind; answers what that kind's verb answers. Both ends are compiled against the same rows (`Answers`), and a process of
 * another version would not have joined: the form of an answer is not looked at again. Throws a ControlError.
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
