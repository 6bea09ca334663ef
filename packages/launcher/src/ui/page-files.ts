import { existsSync, readFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { CommandError } from '../cli/usage-error.ts';

/** The page's parts: path, file in dist/, type. */
const FILES = {
  '/': { file: 'ui.html', type: 'text/html; charset=utf-8' },
  '/ui.js': { file: 'ui.js', type: 'text/javascript; charset=utf-8' },
  '/ui.css': { file: 'ui.css', type: 'text/css; charset=utf-8' },
} as const;

/**
 * The page loads nothing from elsewhere, cannot be framed by another page, and runs only its own files. Every answer
 * carries these headers.
 */
export const SAFE_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cache-control': 'no-cache',
} as const;

interface PageFile {
  readonly type: string;
  readonly plain: Buffer;
  readonly zipped: Buffer;
}

/** The built page, held in memory. */
export class PageFiles {
  private readonly byPath: ReadonlyMap<string, PageFile>;

  /** Reads the page from the folder of the bundles. */
  constructor(directory: string) {
    this.byPath = new Map(
      Object.entries(FILES).map(([path, { file, type }]) => {
        const from = join(directory, file);
        if (!existsSync(from)) throw new CommandError(`${file} is not in ${directory}; build it with npm run build`, 2);
        const plain = readFileSync(from);
        return [path, { type, plain, zipped: gzipSync(plain) }];
      }),
    );
  }

  /** Answers with the file at this path; false if there is none. */
  answer(path: string, acceptsGzip: boolean, response: ServerResponse): boolean {
    const found = this.byPath.get(path);
    if (found === undefined) return false;
    const body = acceptsGzip ? found.zipped : found.plain;
    response.writeHead(200, {
      ...SAFE_HEADERS,
      'content-type': found.type,
      'content-length': body.length,
      vary: 'accept-encoding',
      ...(acceptsGzip && { 'content-encoding': 'gzip' }),
    });
    response.end(body);
    return true;
  }
}
