import { isRecord, isText } from '@mk/monitor-proto/guards';
import { CAUSES } from './start-error.ts';

/** What Node and the C library print when the system refuses something, and the error that it means. */
const SIGNS: readonly (readonly [sign: RegExp, code: keyof typeof CAUSES])[] = [
  [/uv_thread_create|pthread_create|\bEAGAIN\b|Resource temporarily unavailable/, 'EAGAIN'],
  [/\bEMFILE\b/, 'EMFILE'],
  [/\bENFILE\b/, 'ENFILE'],
  [/Fatal process (?:OOM|out of memory)|heap out of memory|\bENOMEM\b|Cannot allocate memory/i, 'ENOMEM'],
];
/** Lines of a native crash that mean nothing to a person. */
const NOISE = /^(?:[#\s]*$|-{3,}|\s*\d+: 0x[0-9a-f]+|\s+at |Node\.js v)/;

/** The most telling of a process's last lines: a logged error's text, a thrown error, or else the last line. */
export function lastWordsOf(lines: readonly string[]): string {
  return withCause(tellingLine(lines), lines);
}

/**
 * V8's message when a heap reaches its own limit, not the host's: on a core that is the heap of a program, whose thread
 * could not be ended in time.
 */
const HEAP_LIMIT = /Reached heap limit|invalid table size|Ineffective mark-compacts/;
const OF_A_PROGRAM =
  'a heap grew past its limit, a program’s if one ran there: with --isolation process such a program ends alone';

/** Puts the cause in front of a text where the system refused something: memory, processes, files. */
export function withCause(text: string, lines: readonly string[] = [text]): string {
  if (lines.some((line) => HEAP_LIMIT.test(line))) return `${OF_A_PROGRAM} (${text})`;
  const code = SIGNS.find(([sign]) => lines.some((line) => sign.test(line)))?.[1];
  return code === undefined ? text : `${CAUSES[code]} (${text})`;
}

function tellingLine(lines: readonly string[]): string {
  const logged = lines.map(textOfLogLine).findLast((text) => text !== null);
  if (logged !== undefined && logged !== null) return logged;
  const thrown = lines.findLast((line) => /^\s*(?:Uncaught\s+)?[A-Za-z]*Error\b.*:/.test(line));
  const said = lines.findLast((line) => !NOISE.test(line));
  return (thrown ?? said ?? lines.at(-1) ?? '').replace(/^[#\s]+/, '').trim();
}

function textOfLogLine(line: string): string | null {
  try {
    const logged: unknown = JSON.parse(line);
    if (!isRecord(logged)) return null;
    const { error, text = '', msg } = logged;
    return error === undefined ? (isText(msg) ? msg : null) : `${String(error)}: ${String(text)}`;
  } catch {
    return null;
  }
}
