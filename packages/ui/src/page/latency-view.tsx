import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { formatDuration } from '@mk/machine/duration';
import { percentile } from '../model/percentiles.ts';
import { ColumnHeads } from './column-heads.tsx';
import type { ViewProps } from './view-props.ts';
import { latencyColour, themeColour } from './colours.ts';
import type { Session } from './session.ts';

interface Cell {
  readonly from: number;
  readonly to: number;
}

/**
 * The matrix of measured round trips: a picture to point at or walk through with the arrow keys, and its summary as
 * text.
 */
export function LatencyView({ session }: ViewProps) {
  const { trips } = session.model;
  const cores = useMemo(() => [...new Set(trips.map(([from]) => from))].sort((a, b) => a - b), [trips]);
  const [cell, setCell] = useState<Cell | null>(null);
  const rows = useMemo(() => summary(session), [trips, session.model.cores]);
  return (
    <section aria-labelledby="latency-title">
      <h2 id="latency-title">Latency matrix</h2>
      {trips.length === 0 ? (
        <p>Nothing is measured yet; “Measure the links” on the machine view does it.</p>
      ) : (
        <Matrix session={session} cores={cores} cell={cell} setCell={setCell} />
      )}
      <p role="status" class="reading">
        {reading(session, cell)}
      </p>
      {rows.length > 0 && (
        <table>
          <caption>Shortest round trips</caption>
          <ColumnHeads names={['between', 'pairs', 'min', 'median', 'max']} />
          <tbody>
            {rows.map(([name, values]) => (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td>{values.length}</td>
                {[0, 0.5, 1].map((share) => (
                  <td key={share}>{formatDuration(percentile(values, share) ?? 0)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

interface MatrixProps {
  readonly session: Session;
  readonly cores: readonly number[];
  readonly cell: Cell | null;
  setCell(cell: Cell): void;
}

const STEPS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

function Matrix({ session, cores, cell, setCell }: MatrixProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const { trips } = session.model;
  useEffect(() => drawMatrix(canvas.current!, session, cores, cell), [trips, cell, cores.length]);
  const at = (row: number, column: number): void => {
    const [from, to] = [cores[row], cores[column]];
    if (from !== undefined && to !== undefined) setCell({ from, to });
  };
  const pointed = ({ currentTarget, offsetX, offsetY }: MouseEvent): void => {
    const { clientWidth, clientHeight } = currentTarget as HTMLCanvasElement;
    at(Math.floor((offsetY / clientHeight) * cores.length), Math.floor((offsetX / clientWidth) * cores.length));
  };
  const walked = (event: KeyboardEvent): void => {
    const step = STEPS[event.key];
    if (step === undefined) return;
    event.preventDefault();
    if (cell === null) return at(0, 0);
    at(cores.indexOf(cell.from) + step[0], cores.indexOf(cell.to) + step[1]);
  };
  return (
    <canvas
      ref={canvas}
      class="matrix"
      tabIndex={0}
      role="img"
      aria-label={`round trips of ${cores.length} cores, rows ping and columns answer; the arrow keys read cells`}
      onMouseMove={pointed}
      onClick={pointed}
      onKeyDown={walked}
    />
  );
}

function drawMatrix(canvas: HTMLCanvasElement, session: Session, cores: readonly number[], chosen: Cell | null): void {
  const side = Math.max(1, Math.floor(768 / cores.length));
  canvas.width = canvas.height = side * cores.length;
  const context = canvas.getContext('2d')!;
  const index = new Map(cores.map((core, i) => [core, i]));
  const [least, most] = session.model.tripRange;
  for (const [from, to, min] of session.model.trips) {
    context.fillStyle = latencyColour(min, least, most);
    context.fillRect(index.get(to)! * side, index.get(from)! * side, side, side);
  }
  if (chosen === null) return;
  context.strokeStyle = themeColour('text');
  context.lineWidth = Math.max(1, side / 12);
  context.strokeRect(index.get(chosen.to)! * side, index.get(chosen.from)! * side, side, side);
}

function reading({ model }: Session, cell: Cell | null): string {
  if (cell === null) return '';
  const trip = model.trips.find(([from, to]) => from === cell.from && to === cell.to);
  if (trip === undefined) return `core ${cell.from} to core ${cell.to}: not measured`;
  const [from, to, min, average] = trip;
  return `core ${from} to core ${to}: shortest ${formatDuration(min)}, average ${formatDuration(average)}`;
}

function summary({ model }: Session): readonly (readonly [string, readonly number[]])[] {
  const packages = new Map(model.cores.map(({ core, package: number }) => [core, number]));
  const groups = new Map<string, number[]>();
  for (const [from, to, min] of model.trips) {
    const name = packages.get(from) === packages.get(to) ? 'one package' : 'two packages';
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [min]);
    else group.push(min);
  }
  return [...groups];
}
