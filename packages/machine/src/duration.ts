import { known } from '@mk/monitor-proto/assert';
import { type PeerId, SKB_PEER } from '@mk/monitor-proto/ids';
import { refuse, type Result, succeed } from '@mk/monitor-proto/result';

const NS_PER_UNIT = new Map(
  Object.entries({
    ns: 1,
    us: 1e3,
    µs: 1e3,
    μs: 1e3, // the Greek letter: Unicode normalisation (NFKC) turns the micro sign into it
    ms: 1e6,
    s: 1e9,
    m: 60e9,
    min: 60e9,
    h: 3600e9,
    d: 24 * 3600e9,
  }),
);
const UNITS = [...NS_PER_UNIT.keys()].filter((unit) => unit !== 'μs').join(', ');
const BYTES_PER_UNIT = new Map(
  Object.entries({
    '': 1,
    B: 1,
    kB: 1e3,
    KB: 1e3,
    MB: 1e6,
    GB: 1e9,
    TB: 1e12,
    KiB: 2 ** 10,
    MiB: 2 ** 20,
    GiB: 2 ** 30,
    TiB: 2 ** 40,
  }),
);
const TIME_UNITS: readonly (readonly [number, string])[] = [
  [1, 'ns'],
  [1e3, 'µs'],
  [1e6, 'ms'],
  [1e9, 's'],
];
/** Longer than any run, and exact in nanoseconds. */
const MAX_NS = 30 * 24 * 3600e9;
const MAX_CORES = 65_533;

/** `2ms`, `0.2ms`, `500us`, `3s`, `100ns`, `2m`, `1h`, `1d`, or a bare 0; in nanoseconds, whole. */
export function parseDuration(value: string | number): Result<number, string> {
  const text = String(value).trim();
  const parts = /^(\d+(?:\.\d+)?|\.\d+)\s*([a-zµμ]*)$/.exec(text);
  if (parts === null) return refuse(`"${text}" is not a duration; write 2ms, 0.5ms, 500us, 3s or 0`);
  const amount = Number(parts[1]);
  if (parts[2] === '' && amount === 0) return succeed(0);
  const unit = NS_PER_UNIT.get(known(parts[2]));
  if (parts[2] === '') return refuse(`"${text}" has no unit; write ${text}ms, ${text}us or ${text}s`);
  if (unit === undefined) {
    return refuse(`"${text}" has an unknown unit; known: ${UNITS}`);
  }
  if (amount * unit > MAX_NS) return refuse(`"${text}" is too long; at most 30 days`);
  return succeed(Math.round(amount * unit));
}

/** `1%`, `0.5%`, or a bare 0; as a ratio from 0 to 1. */
export function parsePercent(value: string | number): Result<number, string> {
  const text = String(value).trim();
  const parts = /^(\d+(?:\.\d+)?|\.\d+)\s*(%?)$/.exec(text);
  if (parts === null) return refuse(`"${text}" is not a percentage; write 1% or 0`);
  if (parts[2] === '' && Number(text) !== 0) return refuse(`"${text}" has no %; write ${text}%`);
  const percent = Number(parts[1]);
  return percent <= 100 ? succeed(percent / 100) : refuse(`"${text}" is more than 100%`);
}

/** `64KiB`, `8GiB`, `1.5MB`, or a plain number of bytes. */
export function parseBytes(value: string | number): Result<number, string> {
  const text = String(value).trim();
  const parts = /^(\d+(?:\.\d+)?)\s*([a-zA-Z]*)$/.exec(text);
  const unit = parts === null ? undefined : BYTES_PER_UNIT.get(known(parts[2]));
  if (parts === null || unit === undefined) {
    return refuse(`"${text}" is not a size; write 64KiB, 8GiB or a number of bytes`);
  }
  if (unit === 1 && !Number.isInteger(Number(parts[1]))) return refuse(`"${text}" is not a whole number of bytes`);
  const bytes = Math.round(Number(parts[1]) * unit);
  return Number.isSafeInteger(bytes) ? succeed(bytes) : refuse(`"${text}" is too large`);
}

/** `125kB/s`, `1MB/s`, or a plain number of bytes a second; 0 is no limit. */
export function parseRate(value: string | number): Result<number, string> {
  const text = String(value).trim();
  const bytes = parseBytes(text.replace(/\/s$/, ''));
  return bytes.ok ? bytes : refuse(`"${text}" is not a rate; write 125kB/s, 1MB/s or a number of bytes a second`);
}

/** `0,3-7`, `5`, or a list of numbers; in the order given, each core once. */
export function parseCores(value: string | number | readonly number[]): Result<readonly number[], string> {
  const cores = new Set<number>();
  const parts = typeof value === 'object' ? value.map(String) : String(value).split(',');
  for (const part of parts) {
    const range = /^\s*(\d{1,6})(?:\s*-\s*(\d{1,6}))?\s*$/.exec(part);
    if (range === null) return refuse(`"${part.trim()}" is not a core; write 5, 0,3 or 0,3-7`);
    const first = Number(range[1]);
    const last = Number(range[2] ?? range[1]);
    if (last < first) return refuse(`"${part.trim()}" runs backwards; write ${last}-${first}`);
    if (last > MAX_CORES) return refuse(`"${part.trim()}" is not a core; the highest is ${MAX_CORES}`);
    for (let core = first; core <= last; core++) cores.add(core);
  }
  return succeed([...cores]);
}

/** Like `parseCores`, but also accepts `skb`: everybody whose links a fault can affect. */
export function parsePeers(value: string | number | readonly (number | string)[]): Result<readonly PeerId[], string> {
  const parts = typeof value === 'object' ? value.map(String) : String(value).split(',');
  const cores = parts.filter((part) => part.trim() !== 'skb');
  const skb = cores.length < parts.length ? [SKB_PEER] : [];
  if (cores.length === 0) return succeed(skb);
  const parsed = parseCores(cores.join(','));
  if (!parsed.ok) return refuse(parsed.error.replace(/ or 0,3-7$/, ', 0,3-7, or skb'));
  return succeed([...parsed.value, ...skb]);
}

/** `0,3-7`: cores for people, with runs of three or more joined. */
export function formatCores(cores: readonly number[]): string {
  const sorted = [...new Set(cores)].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let i = 0; i < sorted.length;) {
    let j = i;
    while (sorted[j + 1] === known(sorted[j]) + 1) j += 1;
    if (j - i >= 2) parts.push(`${sorted[i]}-${sorted[j]}`);
    else parts.push(...sorted.slice(i, j + 1).map(String));
    i = j + 1;
  }
  return parts.join(',');
}

/** A time for people, three digits and a unit: `2 ms`, `1.25 s`, `340 ns`. */
export function formatDuration(ns: number): string {
  const size = Math.abs(ns);
  // At 999.5 of a unit, three digits would round up to the next.
  const [unit, name] = TIME_UNITS.find(([scale]) => size < 999.5 * scale) ?? [1e9, 's'];
  return `${Number((ns / unit).toPrecision(size >= 999.5e9 ? 6 : 3))} ${name}`;
}
