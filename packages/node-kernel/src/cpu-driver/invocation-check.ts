import { isRecord } from '@mk/monitor-proto/guards';
import { isKeyOf } from '@mk/monitor-proto/tables';
import type { Operation } from '../capability/invocations/decode.ts';
import { misfitField, notOfKind, type ObjectForm, shown, strangeField } from './argument-kinds.ts';

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

/** Why a program's argument is not an invocation; null: it is one. Trusts nothing. */
export function whyNoInvocation(value: unknown): string | null {
  if (!isRecord(value)) return `an invocation must be a record, not ${shown(value)}`;
  const { operation, ...given } = value;
  if (typeof operation !== 'string' || !isKeyOf(FIELDS, operation)) return `there is no operation ${shown(operation)}`;
  const fields = FIELDS[operation];
  const strange = strangeField(fields, given);
  if (strange !== undefined) return `${operation} takes no ${shown(strange)}`;
  const misfit = misfitField(fields, given);
  if (misfit === undefined) return null;
  const [name, kind] = misfit;
  return notOfKind(`the ${name} of ${operation}`, kind, given[name]);
}
