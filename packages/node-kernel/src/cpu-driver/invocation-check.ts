import { isRecord } from '@mk/monitor-proto/guards';
import { isKeyOf, keysOf, tableOf } from '@mk/monitor-proto/tables';
import type { Operation } from '../capability/invocations/decode.ts';
import { listed, misfitField, notOfKind, type ObjectForm, shown, strangeField } from './argument-kinds.ts';

const FIELDS: { readonly [K in Operation]: ObjectForm } = {
  copy: { source: 'slot', destination: 'slot' },
  mint: { source: 'slot', destination: 'slot', rights: 'whole' },
  move: { source: 'slot', destination: 'slot' },
  delete: { target: 'slot' },
  revoke: { target: 'slot' },
  retype: {
    source: 'slot',
    destination: 'slot',
    type: 'type',
    offset: 'whole',
    objectSize: 'whole',
    count: 'whole',
    fields: 'fields?',
  },
  identify: { target: 'slot' },
  create_cnode: { source: 'slot', destination: 'slot', type: 'type', offset: 'whole', size: 'whole' },
  resize_cnode: { cnode: 'slot', returnTo: 'slot' },
  create_id: { destination: 'slot' },
  map: {
    source: 'slot',
    table: 'slot',
    entry: 'whole',
    count: 'whole',
    offset: 'whole',
    rights: 'whole',
    destination: 'slot',
  },
  protect: { mapping: 'slot', entry: 'whole', count: 'whole', rights: 'whole' },
  unmap: { mapping: 'slot' },
};

const FORMS = tableOf(keysOf(FIELDS), (operation) => listed({ operation: 'text', ...FIELDS[operation] }));

/** Why a program's argument is not an invocation; null: it is one. Trusts nothing. */
export function whyNoInvocation(value: unknown): string | null {
  if (!isRecord(value)) return `an invocation must be a record, not ${shown(value)}`;
  const { operation } = value;
  if (typeof operation !== 'string' || !isKeyOf(FORMS, operation)) return `there is no operation ${shown(operation)}`;
  const form = FORMS[operation];
  const strange = strangeField(form, value);
  if (strange !== undefined) return `${operation} takes no ${shown(strange)}`;
  const misfit = misfitField(form, value);
  if (misfit === undefined) return null;
  const [name, kind] = misfit;
  return notOfKind(`the ${name} of ${operation}`, kind, value[name]);
}
