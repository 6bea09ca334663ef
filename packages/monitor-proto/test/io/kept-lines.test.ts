import { expect, test } from '@jest/globals';
import { KeptLines } from '@mk/monitor-proto/io/kept-lines';
import { limit } from '@mk/monitor-proto/limits';
import type { LogLinesAnswer } from '@mk/monitor-proto/io/kept-lines';

function asked(kept: KeptLines, from: unknown): LogLinesAnswer {
  const reply = kept.control({ verb: 'log_lines', args: { from } });
  if (reply?.ok !== true) throw new Error(JSON.stringify(reply));
  return reply.value as LogLinesAnswer;
}

test('a process tells its lines once to who asks from where it was, and says how many are gone', () => {
  const kept = new KeptLines();
  const write = (n: number): number => kept.write(Buffer.from(`{"seq":${n}}\n`));
  expect(asked(kept, 0)).toMatchObject({ lines: [], next: 0, lost: 0 });
  for (let n = 0; n < 3; n++) expect(write(n)).toBe(`{"seq":${n}}\n`.length);
  const first = asked(kept, 0);
  expect(first).toMatchObject({ lines: ['{"seq":0}', '{"seq":1}', '{"seq":2}'], next: 3, lost: 0 });
  write(3);
  expect(asked(kept, first.next).lines).toEqual(['{"seq":3}']);
  const most = limit('logLinesKept');
  for (let n = 4; n < 3 * most; n++) write(n);
  const later = asked(kept, 4);
  expect(later.lost).toBeGreaterThanOrEqual(most - 4);
  let [next, lines] = [later.next, later.lines.length];
  for (;;) {
    const more = asked(kept, next);
    expect(more.life).toBe(first.life);
    if (more.lines.length === 0) break;
    [next, lines] = [more.next, lines + more.lines.length];
  }
  expect(next).toBe(3 * most);
  expect(lines + later.lost).toBe(3 * most - 4);
  expect(lines).toBeLessThanOrEqual(2 * most);
});

test('long lines: no more characters are kept than may be, and the last line always', () => {
  const kept = new KeptLines();
  const [most, long] = [limit('logCharactersKept'), 8192];
  const count = 5 * (most / long);
  for (let n = 0; n < count; n++) kept.write(Buffer.from(`${n}`.padEnd(long, '.')));
  const first = asked(kept, 0);
  expect(count - first.lost).toBeGreaterThanOrEqual(most / long);
  expect((count - first.lost) * long).toBeLessThan(2 * most);
  expect(asked(kept, count - 1).lines).toEqual([`${count - 1}`.padEnd(long, '.')]);
});

test('another verb is not its; a number that is none is refused', () => {
  const kept = new KeptLines();
  expect(kept.control({ verb: 'trace', args: {} })).toBeNull();
  for (const from of [-1, 1.5, '0', undefined])
    expect(kept.control({ verb: 'log_lines', args: { from } })).toMatchObject({ ok: false, error: 'BAD_REQUEST' });
});
