import { useEffect, useRef } from 'preact/hooks';
import { linkState } from '../model/link-faults.ts';
import { MOST_ON_CIRCLE, type MachineLayout } from '../model/machine-layout.ts';
import { treeKey } from '../model/page-model.ts';
import type { TreeNode } from '../model/page-events.ts';
import type { Choice } from './view-props.ts';
import { latencyColour, themeColour } from './colours.ts';
import type { Session } from './session.ts';

/** How long a message that came is drawn. */
const FLASH_MS = 900;

interface Props {
  readonly session: Session;
  readonly layout: MachineLayout;
  readonly choice: Choice;
}

/** All links behind the cores: a picture, for what it shows stands in the latency and fault views as text. */
export function LinkCanvas({ session, layout, choice }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const draw = (): void => {
      if (canvas.current !== null) drawLinks(canvas.current, session, layout, choice);
    };
    draw();
    const watcher = new ResizeObserver(draw);
    watcher.observe(canvas.current!);
    return () => watcher.disconnect();
  });
  return <canvas ref={canvas} aria-hidden="true" />;
}

type Line = (from: number, to: number, style: LineStyle) => void;
interface LineStyle {
  readonly colour: string;
  readonly width: number;
  readonly dash?: readonly number[];
  readonly alpha?: number;
  readonly arrow?: boolean;
}

function drawLinks(canvas: HTMLCanvasElement, session: Session, layout: MachineLayout, choice: Choice): void {
  const { width, height } = canvas.getBoundingClientRect();
  const ratio = devicePixelRatio;
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  const context = canvas.getContext('2d')!;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const places = new Map(layout.cores.map(({ core, x, y }) => [core, [x * width, y * height] as const]));
  const line = lineDrawer(context, places, (layout.coreSize * width) / 2);
  drawPackages(context, layout, width, height);
  drawTrips(session, layout, choice, line);
  drawFaults(session, layout, line);
  const tree = choice.root === null ? undefined : session.model.trees.get(treeKey(choice.root, choice.plan));
  if (tree !== undefined) drawTree(tree, line);
  if (drawFlashes(session, line)) session.changed();
}

function lineDrawer(
  context: CanvasRenderingContext2D,
  places: ReadonlyMap<number, readonly [number, number]>,
  coreRadius: number,
): Line {
  return (from, to, { colour, width, dash = [], alpha = 1, arrow = false }) => {
    const [a, b] = [places.get(from), places.get(to)];
    if (a === undefined || b === undefined) return;
    context.globalAlpha = alpha;
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.setLineDash([...dash]);
    context.beginPath();
    context.moveTo(a[0], a[1]);
    context.lineTo(b[0], b[1]);
    context.stroke();
    if (arrow) drawHead(context, a, b, coreRadius, colour);
    context.globalAlpha = 1;
    context.setLineDash([]);
  };
}

function drawHead(
  context: CanvasRenderingContext2D,
  [ax, ay]: readonly [number, number],
  [bx, by]: readonly [number, number],
  back: number,
  colour: string,
): void {
  const angle = Math.atan2(by - ay, bx - ax);
  const [x, y] = [bx - back * Math.cos(angle), by - back * Math.sin(angle)];
  context.fillStyle = colour;
  context.beginPath();
  context.moveTo(x, y);
  for (const side of [-0.4, 0.4]) context.lineTo(x - 10 * Math.cos(angle + side), y - 10 * Math.sin(angle + side));
  context.fill();
}

function drawPackages(
  context: CanvasRenderingContext2D,
  { packages }: MachineLayout,
  width: number,
  height: number,
): void {
  context.strokeStyle = themeColour('line');
  context.lineWidth = 1;
  for (const box of packages)
    context.strokeRect(box.x * width + 2, box.y * height + 2, box.width * width - 4, box.height * height - 4);
}

/** Every link where there is room; else those of the chosen cores. */
function drawTrips({ model }: Session, { cores }: MachineLayout, { selected }: Choice, line: Line): void {
  const shown = cores.length <= MOST_ON_CIRCLE ? model.trips : model.trips.filter(([from]) => selected.has(from));
  const all = model.trips.map(([, , min]) => min);
  const [least, most] = [Math.min(...all), Math.max(...all)];
  for (const [from, to, min] of shown) {
    if (from < to || selected.has(from))
      line(from, to, { colour: latencyColour(min, least, most), width: 1.5, alpha: selected.has(from) ? 1 : 0.7 });
  }
}

const FAULT_STYLES = {
  cut: { width: 2, dash: [3, 5] },
  lossy: { width: 2.5, dash: [8, 4] },
  slow: { width: 4, dash: [] },
} as const;

function drawFaults({ model }: Session, { cores }: MachineLayout, line: Line): void {
  const faults = model.faults.filter(({ rule }) => rule !== null);
  if (faults.length === 0) return;
  for (const { core: from } of cores) {
    for (const { core: to } of cores) {
      if (from >= to) continue;
      const [there, back] = [linkState(faults, from, to), linkState(faults, to, from)];
      const state = there === 'whole' ? back : there;
      if (state !== 'whole')
        line(from, to, { colour: themeColour(state), ...FAULT_STYLES[state], arrow: there !== back });
    }
  }
}

function drawTree({ core, children }: TreeNode, line: Line): void {
  for (const child of children) {
    line(core, child.core, { colour: themeColour('tree'), width: 3, arrow: true });
    drawTree(child, line);
  }
}

/** True as long as one has not faded. */
function drawFlashes({ model, now }: Session, line: Line): boolean {
  const recent = model.flashes.lastThat(200, ({ at }) => now - at < FLASH_MS && at <= now);
  for (const { from, to, at } of recent)
    line(from, to, { colour: themeColour('flash'), width: 3, alpha: 1 - (now - at) / FLASH_MS, arrow: true });
  return recent.length > 0;
}
