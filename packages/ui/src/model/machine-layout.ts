/** Positions of the machine's parts: fractions of the drawing's width and height. */
interface CorePlace {
  readonly core: number;
  readonly x: number;
  readonly y: number;
}

interface PackagePlace {
  readonly package: number;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface MachineLayout {
  /** `circle`: every link is a chord that no other core lies on. `grid`: for more cores than a circle can hold. */
  readonly form: 'circle' | 'grid';
  readonly cores: readonly CorePlace[];
  readonly packages: readonly PackagePlace[];
  /** Space for one core, a fraction of the width. */
  readonly coreSize: number;
}

/** Up to this many cores are drawn on a circle. */
export const MOST_ON_CIRCLE = 32;

/** Places the cores, each package's together. Deterministic. */
export function layoutOf(cores: readonly { readonly core: number; readonly package: number }[]): MachineLayout {
  const packages = byPackage(cores);
  const sorted = [...packages.values()].flat();
  if (sorted.length <= MOST_ON_CIRCLE) return circle(sorted, packages.size);
  return grid(packages);
}

function byPackage(cores: readonly { readonly core: number; readonly package: number }[]): Map<number, number[]> {
  const packages = new Map<number, number[]>();
  for (const { core, package: number } of [...cores].sort((a, b) => a.package - b.package || a.core - b.core)) {
    const members = packages.get(number);
    if (members === undefined) packages.set(number, [core]);
    else members.push(core);
  }
  return packages;
}

function circle(cores: readonly number[], packages: number): MachineLayout {
  const perPackage = Math.ceil(cores.length / Math.max(1, packages));
  // A gap of one core separates packages.
  const gaps = packages > 1 ? packages : 0;
  const steps = cores.length + gaps;
  const places = cores.map((core, i) => {
    const step = i + (gaps > 0 ? Math.floor(i / perPackage) : 0);
    const angle = (2 * Math.PI * step) / Math.max(1, steps) - Math.PI / 2;
    const radius = cores.length === 1 ? 0 : 0.42;
    return { core, x: 0.5 + radius * Math.cos(angle), y: 0.5 + radius * Math.sin(angle) };
  });
  const coreSize = Math.min(0.13, (2 * Math.PI * 0.42 * 0.8) / Math.max(1, steps));
  return { form: 'circle', cores: places, packages: [], coreSize };
}

function grid(packages: ReadonlyMap<number, readonly number[]>): MachineLayout {
  const columns = Math.ceil(Math.sqrt(packages.size));
  const rows = Math.ceil(packages.size / columns);
  const inner = Math.ceil(Math.sqrt(Math.max(...[...packages.values()].map((members) => members.length))));
  const side = { width: 1 / columns, height: 1 / rows };
  const places: CorePlace[] = [];
  const boxes = [...packages].map(([number, members], p): PackagePlace => {
    const [left, top] = [(p % columns) * side.width, Math.floor(p / columns) * side.height];
    members.forEach((core, i) => {
      const [column, row] = [i % inner, Math.floor(i / inner)];
      places.push({
        core,
        x: left + side.width * (0.08 + (0.84 * (column + 0.5)) / inner),
        y: top + side.height * (0.08 + (0.84 * (row + 0.5)) / inner),
      });
    });
    return { package: number, x: left, y: top, ...side };
  });
  const coreSize = (0.84 * Math.min(side.width, side.height)) / inner;
  return { form: 'grid', cores: places, packages: boxes, coreSize: coreSize * 0.86 };
}
