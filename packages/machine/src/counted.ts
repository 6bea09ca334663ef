import { formatCores } from './duration.ts';

/** The noun for so many: `core`, `cores`. */
export function plural(count: number, noun: string): string {
  return count === 1 ? noun : `${noun}s`;
}

/** `1 core`, `3 cores`. */
export function counted(count: number, noun: string): string {
  return `${count} ${plural(count, noun)}`;
}

/** `core 3`, `cores 0-2,5`. */
export function namedCores(cores: readonly number[]): string {
  return `${plural(cores.length, 'core')} ${formatCores(cores)}`;
}
