import { UsageError } from './usage-error.ts';

/** What a header can carry after `Bearer`, and whoever scrapes can be told. */
const TOKEN = /^[\x21-\x7e]{1,4096}$/;

/** The value of MK_METRICS_TOKEN, empty for none; a UsageError where no request could ever present it. */
export function metricsTokenOf(value: string): string {
  if (value === '' || TOKEN.test(value)) return value;
  throw new UsageError('MK_METRICS_TOKEN must be printable ASCII without blanks: it travels in a header');
}
