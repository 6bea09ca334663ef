import { known } from '@mk/monitor-proto/assert';
import type { Checker } from './checker.ts';
import { handleLine, type LineHandlers, type LineOf } from './line-handlers.ts';

/** One direction of a channel between two instances. */
interface Stream {
  /** Sent and not yet delivered, by lane. */
  readonly sent: string[][];
  readonly sentCount: number[];
  readonly deliveredCount: number[];
}

/**
 * U1, U2: every message is delivered exactly once, in order within its lane. Pairs `message_sent` and
 * `message_delivered` of the two ends by channel, lane and number. Messages to an instance that has gone may be lost.
 */
export function urpcChecker(): Checker {
  const streams = new Map<string, Stream>();
  const streamOf = (channel: string): Stream => {
    let stream = streams.get(channel);
    if (stream === undefined)
      streams.set(channel, (stream = { sent: [[], [], []], sentCount: [0, 0, 0], deliveredCount: [0, 0, 0] }));
    return stream;
  };
  const handlers: LineHandlers = {
    message_sent(line, report) {
      const { channel, lane, number } = line;
      const stream = streamOf(channel);
      if (number !== known(stream.sentCount[lane]) + 1)
        report('U2', `${channel} lane ${lane} sent number ${number} after ${stream.sentCount[lane]}`);
      stream.sentCount[lane] = number;
      known(stream.sent[lane]).push(contentOf(line));
    },
    message_delivered(line, report) {
      const { channel, lane, number } = line;
      const stream = streamOf(channel);
      const expected = known(stream.sent[lane]).shift();
      stream.deliveredCount[lane]! += 1;
      if (expected === undefined)
        report('U1', `core ${line.core} was handed ${contentOf(line)} on ${channel} that nobody sent, or twice`);
      else if (expected !== contentOf(line))
        report(
          'U2',
          `core ${line.core} was handed ${contentOf(line)} as number ${number} of lane ${lane} on ${channel}, where ${expected} was sent`,
        );
    },
  };
  return {
    name: 'urpc',
    line: (line, report, node) => handleLine(handlers, line, report, node),
    atEnd(simulation, report) {
      const alive = new Set(
        [...simulation.nodes.values()].filter((n) => n.machine !== null).map((n) => n.instance.slice(0, 8)),
      );
      for (const [channel, { sent }] of streams) {
        const [from = '', to = ''] = channel.split('>');
        if (!alive.has(from) || !alive.has(to)) continue;
        const lost = sent.flat();
        if (lost.length > 0)
          report('U1', `${lost.length} messages on ${channel} were never handed on, first ${lost[0]}`);
      }
    },
  };
}

function contentOf({ message, op }: LineOf<'message_sent'>): string {
  return op === undefined ? message : `${message} ${op}`;
}
