/** A colour of the page's theme, from styles.css, for light or dark. */
export function themeColour(name: string): string {
  return styles().getPropertyValue(`--${name}`).trim();
}

let cached: CSSStyleDeclaration | null = null;
function styles(): CSSStyleDeclaration {
  cached ??= getComputedStyle(document.documentElement);
  return cached;
}

/** From short (blue) to long (yellow): also a scale of lightness, readable without colour vision, in both themes. */
export function latencyColour(ns: number, least: number, most: number): string {
  const share = most > least ? Math.log(ns / least) / Math.log(most / least) : 0;
  return `hsl(${230 - 180 * clamp(share)} 75% ${42 + 14 * clamp(share)}%)`;
}

function clamp(share: number): number {
  return Number.isFinite(share) ? Math.min(1, Math.max(0, share)) : 0;
}
