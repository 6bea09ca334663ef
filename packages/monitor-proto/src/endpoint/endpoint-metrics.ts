import { type Nanos, peerName } from '../ids.ts';
import { MESSAGES } from '../messages/table.ts';
import type { MetricFamily, MetricSample } from '../metrics.ts';
import type { Endpoint } from './endpoint.ts';
import type { EndpointCounters } from './owner.ts';
import { silenceOf } from './peer.ts';

/** The counters that export a single number, with their names and meanings. */
const COUNTERS: readonly (readonly [name: string, counter: keyof EndpointCounters, help: string])[] = [
  ['mk_retransmits_total', 'retransmitted', 'Messages sent again.'],
  ['mk_duplicates_total', 'doubled', 'Duplicate messages received and dropped.'],
  ['mk_frames_sent_total', 'framesSent', 'Frames of acks and messages sent.'],
  ['mk_frames_received_total', 'framesReceived', 'Valid frames of acks and messages received.'],
  ['mk_frames_rejected_total', 'framesRejected', 'Frames that did not decode or were out of place.'],
  ['mk_links_refused_total', 'linksRefused', 'Handshakes that this process refused.'],
  ['mk_links_opened_total', 'linksOpened', 'Handshakes that succeeded.'],
];

/** The metrics of links and channels, the same in every process. */
export function endpointMetrics(endpoint: Endpoint, now: Nanos): readonly MetricFamily[] {
  return [
    messageCounter(endpoint, 'sent', 'mk_messages_sent_total', 'Messages given to channels.'),
    messageCounter(endpoint, 'delivered', 'mk_messages_delivered_total', 'Messages handed on by channels.'),
    ...COUNTERS.map(([name, counter, help]): MetricFamily => {
      return { name, type: 'counter', help, samples: [{ value: endpoint.counters[counter] }] };
    }),
    ...linkGauges(endpoint, now),
  ];
}

function messageCounter(endpoint: Endpoint, way: 'sent' | 'delivered', name: string, help: string): MetricFamily {
  const counts = endpoint.trace.counts(way);
  const samples = counts.map(([type, value]): MetricSample => {
    return { labels: { message: type, lane: MESSAGES[type].lane }, value };
  });
  return { name, type: 'counter', help, samples };
}

function linkGauges(endpoint: Endpoint, now: Nanos): readonly MetricFamily[] {
  const peers = [...endpoint.peers.values()];
  return [
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
    {
      name: 'mk_link_silence_seconds',
      type: 'gauge',
      help: 'How long a peer that owes an acknowledgement has been silent; 0 when it owes none.',
      samples: peers.map((p) => ({ labels: { peer: peerName(p.id) }, value: silenceOf(p, now) / 1e9 })),
    },
    {
      name: 'mk_channel_round_trip_seconds',
      type: 'gauge',
      help: 'Round trip to a peer as the acks of its channel show it, including their delay; none before the first.',
      samples: peers
        .filter((p) => p.channel.roundTripNs > 0)
        .map((p) => ({ labels: { peer: peerName(p.id) }, value: p.channel.roundTripNs / 1e9 })),
    },
  ];
}
