import { known } from '@mk/monitor-proto/assert';
import { isRecord } from '@mk/monitor-proto/guards';
import { entriesOf } from '@mk/monitor-proto/tables';
import type { SystemCall } from '../effects.ts';
import { KINDS, listed, type ListedForm, misfitField, notOfKind, shown, strangeField } from './argument-kinds.ts';
import { whyNoInvocation } from './invocation-check.ts';
import {
  type ArgumentForm,
  type CheckedCall,
  SYSTEM_CALLS,
  type SystemCallName,
  type SystemCallSpec,
} from './system-calls.ts';

/** The pseudo-call by which a dispatcher's host reports a call whose values could not cross, with the reason. */
const MALFORMED = 'malformed';
const NAME_SHOWN = 40;

/** Why a value does not have the form of an argument; null: it does. */
type Check = (value: unknown) => string | null;

interface CallForm {
  readonly name: SystemCallName;
  readonly checks: readonly (readonly [argument: string, whyNot: Check])[];
}

const FORMS: ReadonlyMap<string, CallForm> = new Map(
  entriesOf(SYSTEM_CALLS).map(([name, { args }]: readonly [SystemCallName, SystemCallSpec]) => [
    name,
    { name, checks: Object.entries(args).map(([argument, form]) => [argument, checkOf(argument, form)] as const) },
  ]),
);

/** A dispatcher's call as the table has it, or a text that tells its author why it is none. Trusts nothing. */
export function checkSystemCall({ name, args }: SystemCall): CheckedCall | string {
  const form = FORMS.get(name);
  if (form === undefined) return whyNoSuchCall(name, args);
  const checked: Record<string, unknown> = {};
  for (let i = 0; i < form.checks.length; i += 1) {
    const [argument, whyNot] = known(form.checks[i]);
    const why = whyNot(args[i]);
    if (why !== null) return `${name}: ${why}`;
    checked[argument] = args[i];
  }
  if (args.length > form.checks.length) return `${name}: takes ${form.checks.length} arguments, not ${args.length}`;
  return { name: form.name, args: checked };
}

function whyNoSuchCall(name: string, [reason]: readonly unknown[]): string {
  return name === MALFORMED && typeof reason === 'string' ? reason : `there is no system call ${shown(name)}`;
}

function checkOf(argument: string, form: ArgumentForm): Check {
  if (form === 'invocation') return whyNoInvocation;
  if (typeof form !== 'string') {
    const fields = listed(form);
    return (value) => whyNoObject(argument, fields, value);
  }
  const { fits } = KINDS[form];
  return (value) => (fits(value) ? null : notOfKind(argument, form, value));
}

function whyNoObject(argument: string, form: ListedForm, value: unknown): string | null {
  if (!isRecord(value)) return `${argument} is not a record: ${shown(value)}`;
  const strange = strangeField(form, value);
  if (strange !== undefined) return `there is no ${argument}.${strange.slice(0, NAME_SHOWN)}`;
  const misfit = misfitField(form, value);
  if (misfit === undefined) return null;
  const [field, kind] = misfit;
  return notOfKind(field, kind, value[field]);
}
