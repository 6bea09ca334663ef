import { LOG_LINES_AT_ONCE } from '@mk/monitor-proto/io/kept-lines';
import { asError } from '@mk/monitor-proto/thrown';
import { coresUp } from '../client/cores.ts';
import type { ClusterClient } from '../client/cluster-client.ts';
import { parseLine } from '../display/log-printer.ts';

/** How often processes are asked for new lines. */
const POLL_MS = 500;
const ANSWER_MS = 2000;

/** How far one process's lines have been shown. */
interface Told {
  life: string;
  next: number;
}

/**
 * The last lines that the processes of a cluster keep themselves (`mk-node` makes them do so), in order of time as far
 * as they are known together; with `follow` also later ones, until the signal. Skips a process that does not answer;
 * rejects when none keeps any.
 */
export async function keptLogs(
  cluster: ClusterClient,
  show: (line: string) => void,
  { follow, signal }: { readonly follow: boolean; readonly signal?: AbortSignal },
): Promise<void> {
  const told = new Map<number | 'skb', Told>();
  let refusal: Error | null = null;
  for (;;) {
    const whose = [...(await coresUp(cluster).catch(() => [])), 'skb'] as const;
    const asked = await Promise.all(
      whose.map((who) =>
        newLines(cluster, who, told).catch((error: unknown) => {
          refusal = asError(error);
          return [];
        }),
      ),
    );
    if (told.size === 0 && refusal !== null) throw refusal;
    for (const line of byTime(asked.flat())) if (signal?.aborted !== true) show(line);
    if (!follow || signal?.aborted === true) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function newLines(
  cluster: ClusterClient,
  who: number | 'skb',
  all: Map<number | 'skb', Told>,
): Promise<string[]> {
  const lines: string[] = [];
  for (;;) {
    const { life, next } = all.get(who) ?? { life: '', next: 0 };
    const options = { timeoutMs: ANSWER_MS };
    const answer =
      who === 'skb'
        ? await cluster.skb('log_lines', { from: next }, options)
        : await cluster.core(who, 'log_lines', { from: next }, options);
    // A new life of the process starts counting again.
    const anew = life !== '' && answer.life !== life;
    all.set(who, { life: answer.life, next: anew ? 0 : answer.next });
    if (anew) continue;
    lines.push(...answer.lines);
    // A process that logs without a pause has new lines at every request.
    if (answer.lines.length < LOG_LINES_AT_ONCE) return lines;
  }
}

function byTime(lines: readonly string[]): readonly string[] {
  const timed = lines.map((line) => [parseLine(line)?.time ?? 0, line] as const);
  return timed.sort(([a], [b]) => a - b).map(([, line]) => line);
}
