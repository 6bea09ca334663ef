import { isRecord } from '@mk/monitor-proto/guards';
import { isKeyOf } from '@mk/monitor-proto/tables';
import type { SystemCall } from '../effects.ts';
import { shown, whyNoInvocation } from './invocation-check.ts';
import { CHECKS, type Kind, type ObjectForm, SYSTEM_CALLS, type SystemCallSpec } from './system-calls.ts';

/**
 * Explains to the call's author why `checkSystemCall` refused it. A dispatcher’s host reports values that could not
 * cross as `malformed`, with the reason.
 */
export function whyNoSystemCall({ name, args }: SystemCall): string {
  const [reason] = args;
  if (name === MALFORMED && typeof reason === 'string') return reason;
  if (!isKeyOf(SYSTEM_CALLS, name)) return `there is no system call ${shown(name)}`;
  const { args: forms }: SystemCallSpec = SYSTEM_CALLS[name];
  const misfit = Object.entries(forms)
    .map(([argument, kind], i) => whyNot(argument, kind, args[i]))
    .find((why) => why !== null);
  return `${name}: ${misfit ?? `takes ${Object.keys(forms).length} arguments, not ${args.length}`}`;
}

/** Why a value does not have the form of an argument; null: it does. */
function whyNot(argument: string, form: Kind | ObjectForm, value: unknown): string | null {
  if (typeof form === 'string') {
    if (CHECKS[form](value)) return null;
    return form === 'invocation' ? whyNoInvocation(value) : `${argument} is not ${WORDS[form]}: ${shown(value)}`;
  }
  if (!isRecord(value)) return `${argument} is not a record: ${shown(value)}`;
  const strange = Object.keys(value).find((field) => !Object.hasOwn(form, field));
  if (strange !== undefined) return `there is no ${argument}.${strange.slice(0, NAME_SHOWN)}`;
  return Object.entries(form).reduce<string | null>(
    (why, [field, kind]) => why ?? whyNot(field, kind, value[field]),
    null,
  );
}

const WORDS: { readonly [K in Kind]: string } = {
  slot: 'an address of a capability',
  whole: 'a whole number of 0 or more',
  'whole?': 'a whole number of 0 or more',
  text: 'text',
  'text?': 'text',
  flag: 'true or false',
  'flag?': 'true or false',
  bytes: 'bytes',
  wholes: 'a list of whole numbers',
  'wholes?': 'a list of whole numbers',
  int: 'a whole number',
  number: 'a number',
  'texts?': 'a list of texts',
  'names?': 'a record of texts',
  value: 'a value',
  invocation: 'an invocation',
};

/** The pseudo-call that carries the reason why a call could not cross. */
const MALFORMED = 'malformed';
const NAME_SHOWN = 40;
