import { expect, test } from '@jest/globals';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { bundlePage } from '../../scripts/bundle-page.mjs';

test('the page is at most 300 kB compressed, and asks for nothing from elsewhere', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mk-bundle-'));
  try {
    await bundlePage(folder);
    const files = readdirSync(folder).sort();
    expect(files).toEqual(['ui.css', 'ui.html', 'ui.js']);
    const texts = files.map((file) => readFileSync(join(folder, file)));
    const bytes = texts.reduce((sum, text) => sum + gzipSync(text).length, 0);
    expect(bytes).toBeLessThanOrEqual(300_000);
    for (const text of texts) expect(String(text)).not.toMatch(/(src|href|url\(|import)\s*[=(]?\s*["']?(https?:)?\/\//);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
