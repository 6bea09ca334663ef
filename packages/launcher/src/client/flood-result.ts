import { formatDuration } from '@mk/machine/duration';
import type { FloodResult } from '@mk/node-kernel/control/verb-answers';

/** Whether every message came, once and in order. */
export function isClean({ lost, doubled, reordered }: FloodResult): boolean {
  return lost === 0 && doubled === 0 && reordered === 0;
}

export function describeFlood(from: number, to: number, result: FloodResult): string {
  const { sent, received, lost, doubled, reordered, elapsedNs } = result;
  const rate = Math.round(sent / (elapsedNs / 1e9));
  const what = `${received} of ${sent} messages in ${formatDuration(elapsedNs)} (${rate.toLocaleString('en')}/s)`;
  return `core ${from} → ${to}: ${what}, ${lost} lost, ${doubled} doubled, ${reordered} out of order`;
}
