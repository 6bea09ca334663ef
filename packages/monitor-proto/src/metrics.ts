import type { Endpoint } from './endpoint/endpoint.ts';
import { peerName } from './ids.ts';
import { MESSAGES } from './messages/table.ts';

/** One metric with its samples, as Prometheus' text format 0.0.4 has it. */
export interface MetricFamily {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly samples: readonly MetricSample[];
}

export interface MetricSample {
  /** Appended to the family's name: `_bucket`, `_sum`, `_count` of a histogram. */
  readonly suffix?: string;
  readonly labels?: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** The text that a scraper reads; `common` labels stand on every sample. */
export function metricsText(
  families: readonly MetricFamily[],
  common: Readonly<Record<string, string | number>>,
): string {
  const lines: string[] = [];
  for (const { name, type, help, samples } of families) {
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`);
    for (const { suffix = '', labels = {}, value } of samples)
      lines.push(`${name}${suffix}${labelText({ ...common, ...labels })} ${value}`);
  }
  return `${lines.join('\n')}\n`;
}

/** A histogram with fixed upper bounds. */
export class Histogram {
  private readonly counts: number[];
  private sum = 0;

  constructor(private readonly bounds: readonly number[]) {
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    const at = this.bounds.findIndex((bound) => value <= bound);
    this.counts[at < 0 ? this.bounds.length : at]! += 1;
    this.sum += value;
  }

  samples(labels: Readonly<Record<string, string | number>>): readonly MetricSample[] {
    let total = 0;
    const buckets = [...this.bounds, Infinity].map((bound, i): MetricSample => {
      total += this.counts[i]!;
      return { suffix: '_bucket', labels: { ...labels, le: bound === Infinity ? '+Inf' : bound }, value: total };
    });
    return [...buckets, { suffix: '_sum', labels, value: this.sum }, { suffix: '_count', labels, value: total }];
  }
}

/** What every process counts about its links and channels. */
export function endpointMetrics(endpoint: Endpoint): readonly MetricFamily[] {
  const { counters, trace } = endpoint;
  const byType = (way: 'sent' | 'delivered'): MetricSample[] =>
    trace.counts(way).map(([type, value]) => ({ labels: { message: type, lane: MESSAGES[type].lane }, value }));
  const peers = [...endpoint.peers.values()];
  const sum = (pick: (c: (typeof peers)[number]['channel']['counters']) => number): MetricSample[] => [
    { value: peers.reduce((total, p) => total + pick(p.channel.counters), 0) },
  ];
  return [
    { name: 'mk_messages_sent_total', type: 'counter', help: 'Messages given to channels.', samples: byType('sent') },
    {
      name: 'mk_messages_delivered_total',
      type: 'counter',
      help: 'Messages handed on by channels.',
      samples: byType('delivered'),
    },
    {
      name: 'mk_retransmits_total',
      type: 'counter',
      help: 'Messages sent again to present peers.',
      samples: sum((c) => c.retransmitted),
    },
    {
      name: 'mk_duplicates_total',
      type: 'counter',
      help: 'Messages that came twice and were dropped.',
      samples: sum((c) => c.doubled),
    },
    {
      name: 'mk_frames_sent_total',
      type: 'counter',
      help: 'Frames sent to present peers.',
      samples: sum((c) => c.framesSent),
    },
    {
      name: 'mk_frames_received_total',
      type: 'counter',
      help: 'Frames received from present peers.',
      samples: sum((c) => c.framesReceived),
    },
    {
      name: 'mk_frames_rejected_total',
      type: 'counter',
      help: 'Frames that did not decode or were out of place.',
      samples: [{ value: counters.framesRejected }],
    },
    {
      name: 'mk_links_refused_total',
      type: 'counter',
      help: 'Handshakes that this process refused.',
      samples: [{ value: counters.linksRefused }],
    },
    {
      name: 'mk_links_opened_total',
      type: 'counter',
      help: 'Handshakes that succeeded.',
      samples: [{ value: counters.linksOpened }],
    },
    {
      name: 'mk_links_up',
      type: 'gauge',
      help: 'Peers with an open link.',
      samples: [{ value: peers.filter((p) => p.link !== 0).length }],
    },
    {
      name: 'mk_queue_messages',
      type: 'gauge',
      help: 'Messages not yet acknowledged, by peer.',
      samples: peers.map((p) => ({ labels: { peer: peerName(p.id) }, value: p.channel.unacknowledged })),
    },
  ];
}

function labelText(labels: Readonly<Record<string, string | number>>): string {
  const pairs = Object.entries(labels).map(([key, value]) => `${key}="${String(value).replace(/["\\\n]/g, '_')}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}
