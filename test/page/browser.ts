import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];

/** The host's own Chromium; null if it has none. No browser is downloaded. */
function chromiumPath(): string | null {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const candidates = NAMES.flatMap((name) => folders.map((folder) => join(folder, name)));
  return candidates.find((path) => existsSync(path)) ?? null;
}

/** Why the page cannot be tested here; null if it can. CI sets MK_REQUIRE_CHROMIUM to require it. */
export function whyNoChromium(): string | null {
  if (chromiumPath() !== null) return null;
  if (process.env['MK_REQUIRE_CHROMIUM'] === '1') throw new Error('chromium is required here and not installed');
  return 'there is no chromium on this host (apt-get install chromium)';
}

/** Starts the browser, as root without its sandbox. */
export function startBrowser(): Promise<Browser> {
  const args = ['--disable-gpu', ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])];
  return chromium.launch({ executablePath: chromiumPath()!, args });
}
