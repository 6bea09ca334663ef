import { Worker } from 'node:worker_threads';
import { expect, test } from '@jest/globals';
import { build } from 'esbuild';
import { fileURLToPath } from 'node:url';
import { makeFrameView, PAGE_STATES } from '@mk/libmk/dispatcher/frame-view';

const WRITER = `
  import { parentPort, workerData } from 'node:worker_threads';
  import { Tlb } from './tlb.ts';
  const { frame, said } = workerData;
  const tlb = new Tlb();
  const entry = tlb.fill(0, { frame, page: 0, rights: 3 });
  const words = new Int32Array(said);
  let value = 0;
  for (;;) {
    const usable = tlb.forWrite(0);
    if (usable === null) {
      if (Atomics.load(words, 1) === 1) break;
      continue;
    }
    value += 1;
    usable.view.setInt32(0, value, true);
    if (tlb.counts(usable)) Atomics.store(words, 0, value);
  }
`;

test('a write that counted is in the copy that the kernel takes after it has closed the page', async () => {
  const folder = fileURLToPath(new URL('../../src/memory/', import.meta.url));
  const { outputFiles } = await build({
    stdin: { contents: WRITER, resolveDir: folder, loader: 'ts' },
    bundle: true,
    write: false,
    format: 'cjs',
    platform: 'node',
  });
  const frame = makeFrameView(1);
  const said = new SharedArrayBuffer(8);
  const [state, counted] = [new Int32Array(frame.words), new Int32Array(said)];
  const bytes = new DataView(frame.bytes);
  const worker = new Worker(outputFiles[0]!.text, { eval: true, workerData: { frame, said } });
  const ended = new Promise((resolve) => worker.once('exit', resolve));
  for (let round = 0; round < 2000; round += 1) {
    const before = Atomics.load(counted, 0);
    Atomics.store(state, 0, PAGE_STATES.modified);
    while (Atomics.load(counted, 0) < before + 20) await new Promise((resolve) => setImmediate(resolve));
    Atomics.store(state, 0, PAGE_STATES.invalid);
    const taken = bytes.getInt32(0, true);
    // From now on the writer reports what it counted before the page was closed.
    await new Promise((resolve) => setImmediate(resolve));
    expect(taken).toBeGreaterThanOrEqual(Atomics.load(counted, 0));
  }
  Atomics.store(counted, 1, 1);
  await ended;
});
