import type { PeerId } from '@mk/monitor-proto/ids';
import { type Arrow, nodeName } from './recorder.ts';
import { inForce, type Recorded, type Selection } from './selection.ts';
import { type Diagram, spaceTimeDiagram } from './space-time.ts';

/** More arrows would be unreadable. */
const MOST = 400;
/** Without a selection: as many as fit on a page, from the first fault on. */
const PAGE = 60;

/** A space-time diagram of a run, or of the part that was selected. */
export function runDiagram({ arrows, marks }: Recorded, { op, fromNs, toNs }: Selection): string {
  const telling = arrows.filter((arrow) => arrow.telling);
  const selected = op !== null || fromNs > 0 || toNs < Infinity;
  const shown = selected ? telling.slice(0, MOST) : aroundTheFault(telling, marks[0]?.at ?? null);
  const first = shown[0]?.sentAt ?? fromNs;
  const last = shown.reduce((end, { sentAt, dueAt }) => Math.max(end, dueAt ?? sentAt), first);
  const seen = [...inForce(marks, first), ...marks.filter(({ at }) => at >= first && at <= last)];
  const ids = new Set<PeerId>([
    ...shown.flatMap(({ from, to }) => [from, to]),
    ...seen.flatMap(({ node }) => (node === null ? [] : [node])),
  ]);
  const left = telling.length - shown.length;
  const diagram: Diagram = {
    title: op === null ? 'Who said what to whom' : `Operation ${op}`,
    nodes: [...ids].sort((a, b) => a - b).map((id) => ({ id, name: nodeName(id) })),
    arrows: shown.map((arrow) => ({ ...arrow, group: groupOf(arrow) })),
    marks: seen,
    leftOut: left === 0 ? '' : `${left} frames are left out; --op, --from and --to choose others.`,
  };
  return spaceTimeDiagram(diagram);
}

/** The time of the first fault tells more than the end, when all is healed. */
function aroundTheFault(arrows: readonly Arrow[], faultAt: number | null): readonly Arrow[] {
  if (faultAt === null) return arrows.slice(-PAGE);
  const at = arrows.findIndex(({ sentAt, dueAt }) => (dueAt ?? sentAt) >= faultAt);
  return at < 0 ? arrows.slice(-PAGE) : arrows.slice(Math.max(0, at - PAGE / 6)).slice(0, PAGE);
}

function groupOf({ label }: Arrow): string {
  const op = /\d+\.\d+\.\d+/.exec(label)?.[0];
  return op === undefined ? 'other messages' : `operation ${op}`;
}
