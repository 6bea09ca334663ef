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
    return form === 'invocation' ? whyNoInvocation(value) : `${argument} is no ${WORDS[form]}: ${shown(value)}`;
  }
  if (!isRecord(value)) return `${argument} is no record: ${shown(value)}`;
  const strange = Object.keys(value).find((field) => !Object.hasOwn(form, field));
  if (strange !== undefined) return `there is no ${argument}.${strange.slice(0, NAME_SHOWN)}`;
  return Object.entries(form).reduce<string | null>(
    (why, [field, kind]) => why ?? whyNot(field, kind, value[field]),
    null,
  );
}

const WORDS: { readonly [K in Kind]: string } = {
  slot: 'address of a capability',
  whole: 'whole number from 0 on',
  'whole?': 'whole number from 0 on',
  text: 'text',
  'text?': 'text',
  flag: 'true or false',
  'flag?': 'true or false',
  bytes: 'bytes',
  wholes: 'list of whole numbers',
  'wholes?': 'list of whole numbers',
  int: 'whole number',
  number: 'number',
  'texts?': 'list of texts',
  'names?': 'record of texts',
  value: 'value',
  invocation: 'invocation',
};

/** The pseudo-call that carries the reason why a call could not cross. */
const MALFORMED = 'malformed';
const NAME_SHOWN = 40;
