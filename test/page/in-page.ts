/** What the page's tests feed the page, and what they run in it. */
import { readFileSync } from 'node:fs';
import type { PageEventOf } from '@mk/ui/model/page-events';

/** Whether a line of a recording has all eight cores' views: on a busy host some may not have answered in time. */
export function hasAllViews(line: string): boolean {
  return (
    line.includes('"type":"views"') && [0, 1, 2, 3, 4, 5, 6, 7].every((core) => line.includes(`{"core":${core},"view"`))
  );
}

/**
 * A recording's last views a moment later, with core 5, which has no lease, suspected by core 0: with the long lease
 * here, waiting would take minutes.
 */
export function suspicion(file: string): object {
  const events = readFileSync(file, 'utf8').trim().split('\n');
  const views = JSON.parse(events.findLast(hasAllViews)!) as PageEventOf<'views'>;
  const { t } = JSON.parse(events.at(-1)!) as { readonly t: number };
  const rows = views.rows.map((row) => {
    if (row.core === 0) return { ...row, suspects: [5] };
    return row.core === 5 ? { ...row, view: 1, leader: null, fenced: true } : row;
  });
  return { ...views, t: t + 1000, rows };
}

/** A name and a line that would take effect in a page that treated them as HTML. */
export const HOSTILE = { name: '<img src=x onerror=alert(1)>', line: '<script>alert(2)</script><img src=x>' } as const;

/** Maps a frame, writes to it, and keeps it. */
export const SHARER = `export async function main(mk) {
  const region = await mk.memory.map(await mk.memory.allocFrame(8192));
  await mk.memory.store64(region.address, 7n);
  mk.console.log('mapped ${HOSTILE.line}');
  await mk.sleep(1e15);
}
`;

/** What the page puts on its window for tests. */
export interface PageGlobals {
  readonly mkSession: {
    readonly model: { readonly trees: ReadonlyMap<string, { readonly core: number }> };
    readonly deeds: readonly Deed[];
  };
}

/** An action from the page; `ok` is null while it is under way. */
export interface Deed {
  readonly id: number;
  readonly line: string;
  readonly ok: boolean | null;
  readonly text: string;
}

/** Runs in the page: focusable elements without an accessible name. */
export function namelessControls(): string[] {
  const controls = [
    ...document.querySelectorAll<HTMLElement>('a, button, input, select, meter, [tabindex], [role=img]'),
  ];
  return controls
    .filter((control) => control.tagName !== 'MAIN' || control.getAttribute('aria-label') === null)
    .filter((control) => {
      const labels = 'labels' in control ? [...((control.labels as NodeListOf<HTMLElement> | null) ?? [])] : [];
      const inMeterRow = control.tagName === 'METER' && control.closest('li') !== null;
      const name = [
        control.getAttribute('aria-label'),
        control.textContent,
        ...labels.map((label) => label.textContent),
      ];
      return !inMeterRow && name.every((text) => (text ?? '').trim() === '');
    })
    .map((control) => control.outerHTML.slice(0, 100));
}

/** Runs in the page: its width, and the contrast of its text (WCAG requires 4.5). */
export function readability(): { readonly wide: number; readonly contrast: number } {
  const luminance = (colour: string): number => {
    const [r, g, b] = (colour.match(/[\d.]+/g) ?? []).map((part) => {
      const share = Number(part) / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
  };
  const { color, backgroundColor } = getComputedStyle(document.body);
  const [light, dark] = [luminance(color), luminance(backgroundColor)].sort((a, b) => b - a);
  return { wide: document.documentElement.scrollWidth, contrast: (light! + 0.05) / (dark! + 0.05) };
}
