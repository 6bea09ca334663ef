import type { Nanos, OperationId } from '@mk/monitor-proto/ids';
import type { MonitorContext } from '../context.ts';
import type { Outcome, Trouble } from '../operations.ts';

/** Logs a warning about an operation that some core did not answer; nothing when all did. */
export function logSilence(
  { outbox }: Pick<MonitorContext, 'outbox'>,
  op: OperationId,
  kind: string,
  outcome: { readonly error: Extract<Outcome<unknown>, { ok: false }>['error']; readonly trouble?: Trouble },
  elapsed: Nanos,
): void {
  const { error, trouble } = outcome;
  if (trouble === undefined || trouble.silent.length === 0) return;
  const { cores, messages, silent } = trouble;
  outbox.log('operation_unanswered', { op, kind, cores, messages, silent, elapsed_us: elapsed / 1000, result: error });
}
