/**
 * The thread that watches what the SKB's own thread is doing: entry of the bundle `skb-witness.cjs`. A process that
 * runs out of heap ends without a word, so another thread must have recorded what it was busy with.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { type WitnessStart, WITNESS } from './witness.ts';

const { shared, path } = workerData as WitnessStart;
const state = new Int32Array(shared, 0, WITNESS.words);
const bytes = new Uint8Array(shared, WITNESS.words * 4);

let seen = 0;
let looks = 0;
let workedBefore = workedMs();
let isWritten = false;
while (Atomics.wait(state, WITNESS.stop, 0, WITNESS.lookMs) === 'timed-out') {
  const turn = Atomics.load(state, WITNESS.turn);
  if (turn === seen) looks += 1;
  else {
    looks = 0;
    seen = turn;
    workedBefore = workedMs();
  }
  const isLong = (turn & 1) === 1 && looks >= WITNESS.looks && workedMs() - workedBefore >= WITNESS.workedMs;
  if (isLong && !isWritten) write(Atomics.load(state, WITNESS.length));
  else if (!isLong && isWritten) forget();
}
if (isWritten) forget();

/** CPU time of the whole process: its own threads, and its garbage collectors. */
function workedMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function write(length: number): void {
  if (length === 0) return;
  isWritten = true;
  const request = Buffer.from(bytes.slice(0, length)).toString('utf8');
  try {
    writeFileSync(path, JSON.stringify({ request, why: `it had been busy with it for ${WITNESS.lookMs * looks} ms` }));
  } catch {
    // Perhaps the disk itself has failed; the next life then knows less.
  }
}

function forget(): void {
  isWritten = false;
  rmSync(path, { force: true });
}
