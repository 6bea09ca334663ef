import type { MetricFamily } from '../metrics.ts';
import type { ShaperCounters } from './link-shaper.ts';

/** A host's metrics of the frames that it carries. */
export function trafficMetrics(bytes: number, counters: ShaperCounters, underWay: number): readonly MetricFamily[] {
  return [
    {
      name: 'mk_sent_bytes_total',
      type: 'counter',
      help: 'Bytes of frames to send, before the link model acts on them.',
      samples: [{ value: bytes }],
    },
    {
      name: 'mk_frames_shaped_total',
      type: 'counter',
      help: 'What the link model and the faults did to frames.',
      samples: Object.entries(counters).map(([verdict, value]) => ({ labels: { verdict }, value: Number(value) })),
    },
    {
      name: 'mk_frames_under_way',
      type: 'gauge',
      help: 'Frames that the link model holds back.',
      samples: [{ value: underWay }],
    },
  ];
}

/**
 * Connections that a certificate, or the lack of one, ended before they became links or requests; empty when there were
 * none.
 */
export function refusalMetrics(refusals: ReadonlyMap<string, number>): readonly MetricFamily[] {
  if (refusals.size === 0) return [];
  return [
    {
      name: 'mk_connections_refused_total',
      type: 'counter',
      help: 'Connections refused by TLS, by reason.',
      samples: [...refusals].map(([error, value]) => ({ labels: { error }, value })),
    },
  ];
}
