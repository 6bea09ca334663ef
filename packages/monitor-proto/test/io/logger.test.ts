import { describe, expect, test } from '@jest/globals';
import { PipeLogger } from '@mk/monitor-proto/io/logger';
import { limit } from '@mk/monitor-proto/limits';

/** A pipe with this much room, and the bytes read from it. */
class Pipe {
  text = '';
  failure: string | null = null;

  constructor(public room = Infinity) {}

  readonly write = (bytes: Uint8Array): number => {
    if (this.failure !== null) throw Object.assign(new Error(this.failure), { code: this.failure });
    const taken = Math.min(this.room, bytes.length);
    if (taken === 0) throw Object.assign(new Error('full'), { code: 'EAGAIN' });
    this.room -= taken;
    this.text += Buffer.from(bytes.subarray(0, taken)).toString();
    return taken;
  };

  lines(): { seq: number; event: string; lines?: number; sink?: string; text?: string }[] {
    expect(this.text.endsWith('\n')).toBe(true);
    return this.text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as never);
  }
}

async function loggerOver(sinks: Readonly<Record<string, Pipe>>): Promise<PipeLogger> {
  const writes = Object.fromEntries(Object.entries(sinks).map(([name, { write }]) => [name, write]));
  const logger = new PipeLogger({ core: 0, incarnation: 1 }, writes);
  await logger.load();
  return logger;
}

const BIG = 'x'.repeat(10_000);

/** More lines than may wait. */
function flood(logger: PipeLogger, level: 'debug' | 'error' = 'debug'): number {
  const lines = Math.ceil((limit('logWaitingBytes') + limit('logReserveBytes')) / BIG.length) + 50;
  for (let i = 0; i < lines; i++) {
    if (level === 'debug') logger.write('control_handled', 0, { verb: BIG, ok: true });
    else logger.write('process_failed', 0, { error: 'x', text: BIG });
  }
  return lines;
}

function droppedTotal(logger: PipeLogger, sink: string): number {
  return logger.metrics()[0]!.samples.find(({ labels }) => labels?.['sink'] === sink)!.value;
}

/** Every gap in `seq` is followed at once by the line that states its length. */
function expectGapsTold(pipe: Pipe): number {
  let lost = 0;
  let last = 0;
  for (const line of pipe.lines()) {
    const gap = line.seq - last - 1;
    expect([line.seq, line.event === 'log_lines_dropped' ? line.lines : 0]).toEqual([line.seq, gap]);
    lost += gap;
    last = line.seq;
  }
  return lost;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

describe('a reader who does not read', () => {
  test('is not waited for: lines wait up to a bound, the rest is dropped, counted, and told of when there is room', async () => {
    const pipe = new Pipe(70_000);
    const logger = await loggerOver({ stdout: pipe });
    const written = flood(logger);
    const dropped = droppedTotal(logger, 'stdout');
    expect(dropped).toBeGreaterThan(0);
    expect(dropped).toBeLessThan(written);
    pipe.room = Infinity;
    await until(() => pipe.text.includes('log_lines_dropped'));
    logger.write('process_stopping', 0, { reason: 'the end' });
    expect(expectGapsTold(pipe)).toBe(dropped);
    expect(pipe.lines().at(-1)).toMatchObject({ event: 'process_stopping', seq: written + 2 });
  });

  test('costs no warning or error before the reserve is full, and what was dropped before one is told before it', async () => {
    const pipe = new Pipe(0);
    const logger = await loggerOver({ stdout: pipe });
    flood(logger);
    logger.write('process_failed', 0, { error: 'x', text: 'the error' });
    pipe.room = Infinity;
    logger.flushNow();
    expectGapsTold(pipe);
    expect(pipe.lines().at(-1)).toMatchObject({ event: 'process_failed', text: 'the error' });
    flood(logger, 'error');
    expect(droppedTotal(logger, 'stdout')).toBeGreaterThan(0);
  });

  test('holds up no end of a process, and gets all that it still takes then', async () => {
    const [deaf, slow] = [new Pipe(0), new Pipe(10)];
    const logger = await loggerOver({ stdout: deaf, file: slow });
    for (let i = 0; i < 100; i++) logger.write('process_stopping', 0, { reason: 'x' });
    slow.room = Infinity;
    logger.flushNow();
    expect(slow.lines()).toHaveLength(100);
    expect(deaf.text).toBe('');
  });

  test('takes nothing from another one', async () => {
    const [deaf, file] = [new Pipe(0), new Pipe()];
    const logger = await loggerOver({ stdout: deaf, file });
    const written = flood(logger);
    expect(file.lines()).toHaveLength(written);
    expect(droppedTotal(logger, 'file')).toBe(0);
  });
});

describe('a sink that fails', () => {
  test('for a time (a full disk) tears no line, and is told of what it lost when it takes lines again', async () => {
    const pipe = new Pipe();
    const logger = await loggerOver({ file: pipe });
    const line = (): void => logger.write('process_stopping', 0, { reason: 'x' });
    line();
    pipe.failure = 'ENOSPC';
    line();
    line();
    pipe.failure = null;
    await until(() => {
      line();
      return pipe.text.includes('log_lines_dropped');
    });
    const lines = pipe.lines();
    const told = lines.find(({ event }) => event === 'log_lines_dropped')!;
    expect(told).toMatchObject({ sink: 'file' });
    const missing = lines.at(-1)!.seq - lines.length;
    expect(missing).toBe(droppedTotal(logger, 'file'));
    expect(told.lines).toBeGreaterThanOrEqual(2);
  });

  test('for good (a reader who is gone) is written to no more', async () => {
    const pipe = new Pipe();
    const logger = await loggerOver({ stdout: pipe });
    pipe.failure = 'EPIPE';
    logger.write('process_stopping', 0, { reason: 'x' });
    pipe.failure = null;
    logger.write('process_stopping', 0, { reason: 'x' });
    expect(pipe.text).toBe('');
    expect(droppedTotal(logger, 'stdout')).toBeGreaterThanOrEqual(2);
  });
});

test('lines from before the library is there keep their order and their numbers', async () => {
  const pipe = new Pipe();
  const logger = new PipeLogger({ core: 0, incarnation: 1 }, { stdout: pipe.write });
  for (let i = 0; i < 3; i++) logger.write('process_stopping', 0, { reason: 'x' });
  expect(pipe.text).toBe('');
  await logger.load();
  logger.write('process_stopping', 0, { reason: 'x' });
  expect(pipe.lines().map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
});
