import { useEffect, useRef } from 'preact/hooks';
import { peersOfRule } from '@mk/monitor-proto/link/rule-scope';
import { linkState } from '../model/link-faults.ts';
import { MOST_ON_CIRCLE, type MachineLayout } from '../model/machine-layout.ts';
import { treeKey } from '../model/page-model.ts';
import type { TreeNode } from '../model/page-events.ts';
import type { Choice } from './view-props.ts';
import { latencyColour, themeColour } from './colours.ts';
import type { Session } from './session.ts';

/** How long a received message stays drawn. */
const FLASH_MS = 900;

interface Props {
  readonly session: Session;
  readonly layout: MachineLayout;
  readonly choice: Choice;
}

/**
 * All links behind the cores, as a picture; the latency and fault views show the same as text. In two layers: what
 * rarely changes is drawn when it does, messages with every frame.
 */
export function LinkCanvas({ session, layout, choice }: Props) {
  const still = useRef<HTMLCanvasElement>(null);
  const moving = useRef<HTMLCanvasElement>(null);
  const { trips, faults, trees, changes } = session.model;
  const tree = choice.root === null ? undefined : trees.get(treeKey(choice.root, choice.plan));
  useEffect(() => {
    const draw = (): void => {
      if (still.current !== null) drawStill(still.current, session, layout, choice);
    };
    draw();
    const watcher = new ResizeObserver(draw);
    watcher.observe(still.current!);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', draw);
    return () => {
      watcher.disconnect();
      scheme.removeEventListener('change', draw);
    };
  }, [session.model, layout, choice.selected, tree, trips, faults, changes.faults]);
  useEffect(() => {
    if (moving.current !== null) drawMoving(moving.current, session, layout);
  });
  return (
    <>
      <canvas ref={still} aria-hidden="true" />
      <canvas ref={moving} aria-hidden="true" />
    </>
  );
}

type Line = (from: number, to: number, style: LineStyle) => void;
interface LineStyle {
  readonly colour: string;
  readonly width: number;
  readonly dash?: readonly number[];
  readonly alpha?: number;
  readonly arrow?: boolean;
}

function drawStill(canvas: HTMLCanvasElement, session: Session, layout: MachineLayout, choice: Choice): void {
  const { context, line, width, height } = surface(canvas, layout);
  drawPackages(context, layout, width, height);
  drawTrips(session, layout, choice, line);
  drawFaults(session, layout, choice, line);
  const tree = choice.root === null ? undefined : session.model.trees.get(treeKey(choice.root, choice.plan));
  if (tree !== undefined) drawTree(tree, line);
}

function drawMoving(canvas: HTMLCanvasElement, session: Session, layout: MachineLayout): void {
  if (drawFlashes(session, surface(canvas, layout).line)) session.changed();
}

interface Surface {
  readonly context: CanvasRenderingContext2D;
  readonly line: Line;
  readonly width: number;
  readonly height: number;
}

/** The canvas in its present size, cleared. */
function surface(canvas: HTMLCanvasElement, layout: MachineLayout): Surface {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = devicePixelRatio;
  if (canvas.width !== Math.round(width * ratio)) canvas.width = Math.round(width * ratio);
  if (canvas.height !== Math.round(height * ratio)) canvas.height = Math.round(height * ratio);
  const context = canvas.getContext('2d')!;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const places = new Map(layout.cores.map(({ core, x, y }) => [core, [x * width, y * height] as const]));
  return { context, line: lineDrawer(context, places, (layout.coreSize * width) / 2), width, height };
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

/** Every link where there is room, otherwise those of the chosen cores. */
function drawTrips({ model }: Session, { cores }: MachineLayout, { selected }: Choice, line: Line): void {
  const few = cores.length <= MOST_ON_CIRCLE;
  if (!few && selected.size === 0) return;
  const [least, most] = model.tripRange;
  for (const [from, to, min] of model.trips) {
    const chosen = selected.has(from);
    if (chosen || (few && from < to))
      line(from, to, { colour: latencyColour(min, least, most), width: 1.5, alpha: chosen ? 1 : 0.7 });
  }
}

const FAULT_STYLES = {
  cut: { width: 2, dash: [3, 5] },
  lossy: { width: 2.5, dash: [8, 4] },
  slow: { width: 4, dash: [] },
} as const;

/**
 * Where there is no room for every link, a core of each package represents it; chosen cores and those named by a rule
 * are drawn themselves.
 */
function drawFaults({ model }: Session, { cores, packages }: MachineLayout, { selected }: Choice, line: Line): void {
  const faults = model.faults.filter(({ rule }) => rule !== null);
  if (faults.length === 0) return;
  const shown = packages.length === 0 ? cores.map(({ core }) => core) : representatives(model, selected);
  for (const [i, from] of shown.entries()) {
    for (const to of shown.slice(i + 1)) {
      const [there, back] = [linkState(faults, from, to), linkState(faults, to, from)];
      const state = there === 'whole' ? back : there;
      if (state !== 'whole')
        line(from, to, { colour: themeColour(state), ...FAULT_STYLES[state], arrow: there !== back });
    }
  }
}

const MOST_NAMED = 16;

function representatives({ cores, faults }: Session['model'], selected: Choice['selected']): readonly number[] {
  const ofPackage = new Map<number, number>();
  for (const { core, package: number } of cores) if (!ofPackage.has(number)) ofPackage.set(number, core);
  const named = faults.flatMap(({ rule }) => (rule === null ? [] : peersOfRule(rule))).filter((peer) => peer >= 0);
  const chosen = [...selected].filter((who) => who !== 'skb');
  return [...new Set([...ofPackage.values(), ...chosen, ...(named.length <= MOST_NAMED ? named : [])])];
}

function drawTree({ core, children }: TreeNode, line: Line): void {
  for (const child of children) {
    line(core, child.core, { colour: themeColour('tree'), width: 3, arrow: true });
    drawTree(child, line);
  }
}

/** True until all have faded. */
function drawFlashes({ model, now }: Session, line: Line): boolean {
  const recent = model.flashes.lastThat(200, ({ at }) => now - at < FLASH_MS && at <= now);
  for (const { from, to, at } of recent)
    line(from, to, { colour: themeColour('flash'), width: 3, alpha: 1 - (now - at) / FLASH_MS, arrow: true });
  return recent.length > 0;
}
