import { formatDuration } from '@mk/machine/duration';

/** Microseconds for people. */
export function durationText(us: number): string {
  return formatDuration(Math.round(us * 1000));
}

/** A time of day; for a simulated run, whose times begin at 0, the time since its beginning. */
export function clockText(ms: number): string {
  if (ms < 1e11) return formatDuration(Math.round(ms * 1e6));
  const date = new Date(ms);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

export function sizeText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB'];
  const power = bytes <= 0 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${Number((bytes / 1024 ** power).toPrecision(4))} ${units[power]}`;
}

/** Events a second. */
export function rateText(rate: number): string {
  return rate >= 100 ? String(Math.round(rate)) : String(Number(rate.toPrecision(3)));
}
