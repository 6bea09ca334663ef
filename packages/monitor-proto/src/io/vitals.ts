import { Histogram, type MetricFamily } from '../metrics.ts';
import { VERSION } from '../version.ts';
import { nowNs } from './clock.ts';

/** How often the event loop is sampled once somebody has asked. */
const LOOK_MS = 100;
const LAG_BOUNDS_SECONDS = [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1];

/** A process's own health: event loop, memory, CPU time and build. Keeps no timer until somebody asks. */
export class Vitals {
  private readonly lag = new Histogram(LAG_BOUNDS_SECONDS);
  private timer: NodeJS.Timeout | null = null;
  private dueNs = 0;

  /** Measures the event loop's lag from the first call on. */
  metrics(): readonly MetricFamily[] {
    if (this.timer === null) this.look();
    return [
      {
        name: 'mk_event_loop_lag_seconds',
        type: 'histogram',
        help: `How late timers of ${LOOK_MS} ms fired, since the first request for metrics.`,
        samples: this.lag.samples({}),
      },
      ...memory(),
      ...processTimes(),
      {
        name: 'mk_build_info',
        type: 'gauge',
        help: 'Always 1; the labels tell which build runs.',
        samples: [{ labels: { version: VERSION, node: process.version }, value: 1 }],
      },
    ];
  }

  close(): void {
    if (this.timer !== null) clearTimeout(this.timer);
  }

  private look(): void {
    this.dueNs = nowNs() + LOOK_MS * 1e6;
    this.timer = setTimeout(() => {
      this.lag.observe(Math.max(0, nowNs() - this.dueNs) / 1e9);
      this.look();
    }, LOOK_MS).unref();
  }
}

function memory(): readonly MetricFamily[] {
  const { rss, heapUsed, heapTotal, external } = process.memoryUsage();
  return [
    {
      name: 'mk_heap_bytes',
      type: 'gauge',
      help: 'The JavaScript heap: used, reserved, and what objects hold outside it.',
      samples: [
        { labels: { part: 'used' }, value: heapUsed },
        { labels: { part: 'reserved' }, value: heapTotal },
        { labels: { part: 'external' }, value: external },
      ],
    },
    {
      name: 'mk_resident_memory_bytes',
      type: 'gauge',
      help: 'Resident memory of the process.',
      samples: [{ value: rss }],
    },
  ];
}

function processTimes(): readonly MetricFamily[] {
  const { user, system } = process.cpuUsage();
  return [
    {
      name: 'mk_cpu_seconds_total',
      type: 'counter',
      help: 'CPU time of the process.',
      samples: [
        { labels: { mode: 'user' }, value: user / 1e6 },
        { labels: { mode: 'system' }, value: system / 1e6 },
      ],
    },
    {
      name: 'mk_start_time_seconds',
      type: 'gauge',
      help: 'When the process began, in seconds since 1970.',
      samples: [{ value: performance.timeOrigin / 1000 }],
    },
  ];
}
