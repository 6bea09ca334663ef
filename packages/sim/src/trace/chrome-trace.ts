import { type PeerId, SKB_PEER } from '@mk/monitor-proto/ids';
import {
  chromeTrace as chromeText,
  type TraceFlow,
  type TraceMark,
  type TraceSpan,
} from '@mk/monitor-proto/trace/chrome-trace';
import type { SimLogLine } from '../engine/sim-log.ts';
import { nodeName } from './recorder.ts';
import type { Recorded } from './selection.ts';

/**
 * A recording as Chrome trace events, like `mkctl trace` of processes: a track per node, a slice per turn, a flow arrow
 * per message, a span per operation, a mark for each fault, lost frame and warning. Times are virtual.
 */
export function chromeTrace({ slices, arrows, lines, marks }: Recorded): string {
  const ids = new Set<PeerId>([
    ...slices.map(({ node }) => node),
    ...arrows.flatMap(({ from, to }) => [from, to]),
    ...lines.flatMap((line) => peerOf(line) ?? []),
  ]);
  return chromeText({
    title: 'simulated machine',
    tracks: [...ids].sort((a, b) => a - b).map((id) => ({ id: trackOf(id), name: nodeName(id) })),
    slices: slices.map(({ node, name, from, to }) => ({ track: trackOf(node), name, from, to })),
    spans: lines.flatMap(spanOf),
    flows: flowsOf(lines),
    marks: [
      ...marks.map(({ node, at, text }) => ({ track: node === null ? null : trackOf(node), at, name: text })),
      ...arrows
        .filter(({ dueAt }) => dueAt === null)
        .map(({ from, sentAt, label, note }) => ({
          track: trackOf(from),
          at: sentAt,
          name: `lost (${note}): ${label}`,
        })),
      ...lines.flatMap(warningOf),
    ],
  });
}

/** Track 0 is the machine's own. */
function trackOf(id: PeerId): number {
  return id + 1;
}

function peerOf({ core }: SimLogLine): PeerId | null {
  if (typeof core === 'number') return core;
  return core === 'skb' ? SKB_PEER : null;
}

function spanOf(line: SimLogLine): readonly TraceSpan[] {
  const { op, elapsed_us: elapsedUs, kind, plan, phases, result = '' } = line;
  const peer = peerOf(line);
  if (peer === null || typeof op !== 'string' || typeof elapsedUs !== 'number') return [];
  const name = plan === undefined ? String(kind) : `${String(plan)} round, ${String(phases)}-phase`;
  const to = line.time * 1e6;
  const args = { core: nodeName(peer), op, result };
  return [{ track: trackOf(peer), name: `${name} ${op}`, from: Math.max(0, to - elapsedUs * 1000), to, args }];
}

function warningOf(line: SimLogLine): readonly TraceMark[] {
  const peer = peerOf(line);
  if (peer === null || (line.level !== 'warn' && line.level !== 'error')) return [];
  const about = line['text'] ?? line['peer'] ?? line['op'] ?? '';
  return [{ track: trackOf(peer), at: line.time * 1e6, name: `${line.event} ${String(about)}`.trim() }];
}

/** Both ends log a message by its channel, lane and number. */
function flowsOf(lines: readonly SimLogLine[]): readonly TraceFlow[] {
  const sent = new Map<string, SimLogLine>();
  const flows: TraceFlow[] = [];
  for (const line of lines) {
    if (line.event !== 'message_sent' && line.event !== 'message_delivered') continue;
    const key = `${String(line['channel'])} ${String(line['lane'])} ${String(line['number'])}`;
    if (line.event === 'message_sent') sent.set(key, line);
    const from = sent.get(key);
    const [a, b] = [from === undefined ? null : peerOf(from), peerOf(line)];
    if (line.event === 'message_sent' || from === undefined || a === null || b === null) continue;
    flows.push({
      name: String(line['message']),
      from: { track: trackOf(a), at: from.time * 1e6 },
      to: { track: trackOf(b), at: line.time * 1e6 },
      ...(typeof line['op'] === 'string' && { args: { op: line['op'] } }),
    });
  }
  return flows;
}
