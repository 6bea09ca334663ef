import { type MetricSample, samplesOf } from '../client/merge-metrics.ts';

/** What one process reports of itself at one moment. Counters run from its start. */
export interface Figures {
  readonly atMs: number;
  readonly cpuSeconds: number;
  readonly received: number;
  readonly sent: number;
  readonly sentBytes: number;
  /** Frames that faults or the link model dropped. */
  readonly dropped: number;
  /** Unacknowledged messages, over all peers. */
  readonly queued: number;
  readonly operations: number;
  readonly links: number;
  readonly suspects: number;
  /** The core silent for longest; null: no link to a core. */
  readonly silent: { readonly peer: string; readonly seconds: number } | null;
  readonly residentBytes: number;
  /** Sampled timers, by how late they fired: cumulative counts by upper bound in seconds. */
  readonly lag: readonly (readonly [bound: number, count: number])[];
  readonly dispatchers: readonly DispatcherFigures[];
}

export interface DispatcherFigures {
  readonly domain: string;
  readonly dispatcher: string;
  readonly program: string;
  readonly runSeconds: number;
}

/** Reads a page of metrics. */
export function figuresOf(page: string, atMs: number): Figures {
  const families = new Map<string, MetricSample[]>();
  for (const sample of samplesOf(page)) {
    const family = families.get(sample.name);
    if (family === undefined) families.set(sample.name, [sample]);
    else family.push(sample);
  }
  const all = (name: string): readonly MetricSample[] => families.get(name) ?? [];
  const sum = (name: string): number => all(name).reduce((total, { value }) => total + (value ?? 0), 0);
  return {
    atMs,
    cpuSeconds: sum('mk_cpu_seconds_total'),
    received: sum('mk_messages_delivered_total'),
    sent: sum('mk_messages_sent_total'),
    sentBytes: sum('mk_sent_bytes_total'),
    dropped: all('mk_frames_shaped_total').find(({ labels }) => labels['verdict'] === 'dropped')?.value ?? 0,
    queued: sum('mk_queue_messages'),
    operations: sum('mk_operations_running'),
    links: sum('mk_links_up'),
    suspects: sum('mk_peers_suspected'),
    silent: mostSilent(all('mk_link_silence_seconds')),
    residentBytes: sum('mk_resident_memory_bytes'),
    lag: all('mk_event_loop_lag_seconds_bucket').map(({ labels, value }) => [bound(labels['le']), value ?? 0] as const),
    dispatchers: all('mk_dispatcher_run_seconds_total').map(({ labels, value }) => ({
      domain: labels['domain'] ?? '',
      dispatcher: labels['dispatcher'] ?? '',
      program: labels['program'] ?? '',
      runSeconds: value ?? 0,
    })),
  };
}

function bound(text: string | undefined): number {
  return text === '+Inf' ? Infinity : Number(text);
}

/** Among cores and the SKB; a client may be silent for as long as it likes. */
function mostSilent(samples: readonly MetricSample[]): Figures['silent'] {
  let most: Figures['silent'] = null;
  for (const { labels, value } of samples) {
    const { peer = '' } = labels;
    if (/^(\d+|skb)$/.test(peer) && value !== null && (most === null || value > most.seconds))
      most = { peer, seconds: value };
  }
  return most;
}
