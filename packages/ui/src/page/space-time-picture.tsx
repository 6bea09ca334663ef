import { useState } from 'preact/hooks';
import type { OperationView } from '../model/operations.ts';
import { durationText } from './format.ts';
import { type SpaceTime, spaceTimeOf } from '../model/space-time.ts';

/** Pixels of the drawing; the picture scrolls within itself when it is wider than the page. */
const LANE = 34;
const LEFT = 70;
const TOP = 20;
const MOST_LANES = 64;

/** An operation over space and time: a lane per core, an arrow per message. */
export function SpaceTimePicture({ operation }: { readonly operation: OperationView }) {
  const [wanted, setWanted] = useState<'auto' | 'time' | 'order'>('auto');
  const picture = spaceTimeOf(operation, wanted);
  const width = Math.max(320, Math.min(2400, picture.scale === 'order' ? picture.span * 26 : 900));
  const lanes = picture.cores.slice(0, MOST_LANES);
  const height = TOP + lanes.length * LANE + 24;
  const x = (at: number): number => LEFT + (at / picture.span) * width;
  const y = (core: number): number => TOP + lanes.indexOf(core) * LANE + LANE / 2;
  const hidden = picture.cores.length - lanes.length;
  return (
    <figure>
      <p class="controls">
        <label>
          Scale{' '}
          <select value={wanted} onChange={({ currentTarget: { value } }) => setWanted(value as typeof wanted)}>
            <option value="auto">as fits</option>
            <option value="time">time</option>
            <option value="order">order</option>
          </select>
        </label>
      </p>
      <div class="scroll" tabIndex={0} role="region" aria-label="space-time diagram">
        <svg width={LEFT + width + 40} height={height} role="img" aria-label={describe(picture)}>
          {lanes.map((core) => (
            <g key={core}>
              <text x={4} y={y(core) + 4}>
                core {core}
              </text>
              <line class="lane" x1={LEFT} x2={LEFT + width} y1={y(core)} y2={y(core)} />
            </g>
          ))}
          <Arrows picture={picture} lanes={lanes} x={x} y={y} end={LEFT + width} />
          <Marks picture={picture} lanes={lanes} x={x} y={y} />
        </svg>
      </div>
      <figcaption>
        {picture.scale === 'time'
          ? `To scale: ${durationText(picture.spanMs * 1000)} from left to right, as the lines tell it (processes tell whole milliseconds).`
          : 'In order of Lamport clocks, one step an event; not to scale.'}{' '}
        Squares are stages, arrows messages; a dashed one did not come.
        {hidden > 0 && ` ${hidden} more cores are not drawn.`}
        {picture.arrows.length === 0 && ' No message was logged: choose “Show messages and stages” before it begins.'}
      </figcaption>
    </figure>
  );
}

interface DrawProps {
  readonly picture: SpaceTime;
  readonly lanes: readonly number[];
  x(at: number): number;
  y(core: number): number;
}

function Arrows({ picture, lanes, x, y, end }: DrawProps & { readonly end: number }) {
  return (
    <>
      {picture.arrows
        .filter(({ from, to }) => lanes.includes(from) && lanes.includes(to))
        .map(({ from, to, sentAt, deliveredAt, message }, i) => {
          const [x1, x2] = [x(sentAt), deliveredAt === null ? Math.min(end, x(sentAt) + 40) : x(deliveredAt)];
          const [y1, y2] = [y(from), deliveredAt === null ? (y(from) + y(to)) / 2 : y(to)];
          return (
            <g key={i} class={deliveredAt === null ? 'arrow lost' : 'arrow'}>
              <line x1={x1} y1={y1} x2={x2} y2={y2} />
              <circle cx={x2} cy={y2} r={3} />
              <title>{`${message}: core ${from} to core ${to}${deliveredAt === null ? ', did not come' : ''}`}</title>
            </g>
          );
        })}
    </>
  );
}

function Marks({ picture, lanes, x, y }: DrawProps) {
  return (
    <>
      {picture.marks
        .filter(({ core }) => lanes.includes(core))
        .map(({ core, at, event }, i) => (
          <g key={i} class={`mark ${event}`}>
            <rect x={x(at) - 5} y={y(core) - 5} width={10} height={10} />
            <title>{`${event} on core ${core}`}</title>
          </g>
        ))}
    </>
  );
}

function describe({ cores, arrows, marks }: SpaceTime): string {
  return `${cores.length} cores, ${arrows.length} messages, ${marks.length} stages`;
}
