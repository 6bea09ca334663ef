import { startCluster } from './cluster.ts';
import { report, spread } from './report.ts';

/**
 * How exactly a link keeps a configured delay: the median of 200 pings against twice the delay plus the unshaped round
 * trip.
 */
const DELAYS_MS = [0.1, 0.5, 1, 2, 5, 20];
const PINGS = 200;
const RUNS = Number(process.argv[2] ?? 5);
/** links.md: within 0.3 ms at 5 ms. */
const ALLOWED_MS = 0.3;

const cluster = await startCluster(2);
const ping = async (): Promise<number> =>
  (await cluster.ask<{ p50: number }>(0, 'ping', { core: 1, count: PINGS, bytes: 64, pause_us: 2000 })).p50 / 1e6;
const settle = async (rule: object | null): Promise<void> => {
  for (const core of [0, 1]) {
    if (rule === null) await cluster.ask(core, 'fault_heal', { target: 'all' });
    else await cluster.ask(core, 'fault_add', { rule });
  }
};
for (const delay of DELAYS_MS) {
  const errors: number[] = [];
  const shaped: number[] = [];
  const clear: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    clear.push(await ping());
    await settle({
      kind: 'link',
      id: 'delay',
      for_ns: null,
      from: [0],
      to: [1],
      both: true,
      settings: { delay_ns: delay * 1e6 },
    });
    shaped.push(await ping());
    await settle(null);
    errors.push(shaped.at(-1)! - 2 * delay - clear.at(-1)!);
  }
  report(
    [
      {
        name: `round trip with ${delay} ms each way, against twice the delay plus the unshaped round trip`,
        unit: 'ms',
        ours: shaped,
        baseline: clear.map((ms) => ms + 2 * delay),
        target: null,
      },
    ],
    `shaping-${delay}ms`,
  );
  const held =
    delay !== 5
      ? ''
      : `  (at most ±${ALLOWED_MS}: ${errors.every((ms) => Math.abs(ms) <= ALLOWED_MS) ? 'held in every run' : 'MISSED in a run'})`;
  process.stdout.write(`  error     ${spread(errors)} ms${held}\n`);
}
await cluster.stop();
