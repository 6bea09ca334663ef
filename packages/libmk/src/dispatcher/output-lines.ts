import { borderLimit } from './limits.ts';

/** A line of output within its bound: what is cut off is marked. */
export function cutLine(text: string): string {
  const most = borderLimit('lineCharacters');
  if (text.length <= most) return text;
  const mark = `… (cut: a line has at most ${most} characters)`;
  const kept = text.slice(0, most - mark.length);
  return `${HALF_A_PAIR.test(kept) ? kept.slice(0, -1) : kept}${mark}`;
}

const HALF_A_PAIR = /[\ud800-\udbff]$/;

/** A program's output as people see it: each line with its core and domain. */
export function outputLines(core: number | string, domain: string, text: string): string {
  return text
    .split('\n')
    .map((line) => `${core}/${domain}  ${line}`)
    .join('\n');
}
