import { UsageError } from './usage-error.ts';

/** Text that a header can carry after `Bearer`. */
const TOKEN = /^[\x21-\x7e]{1,4096}$/;

/** Checks the value of MK_METRICS_TOKEN, empty for none; throws a UsageError for one that no request could carry. */
export function metricsTokenOf(value: string): string {
  if (value === '' || TOKEN.test(value)) return value;
  throw new UsageError('MK_METRICS_TOKEN must be printable ASCII without blanks: it travels in a header');
}
