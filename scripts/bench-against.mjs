// `npm run bench -- --against REVISION NAME [args]`: the benchmark of that revision and of this tree, in turns, printed together.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { root, run } from './install.mjs';

const TURNS = 3;
/** A figure as the benchmarks print it: median [least–most]. */
const FIGURE = /(-?\d[\d,]*(?:\.\d+)?) \[-?\d[\d,.]*–-?\d[\d,.]*\]/g;

/** A benchmark's figures by their label, in order. */
export function figuresIn(output) {
  const figures = new Map();
  let heading = '';
  for (const line of output.split('\n')) {
    const found = [...line.matchAll(FIGURE)];
    if (!line.startsWith(' ')) heading = found.length === 0 ? line.trim() : '';
    const said = line.replaceAll(FIGURE, '…').replace(/\s+/g, ' ').trim();
    found.forEach(([, median], i) => {
      const place = found.length > 1 ? ` (${i + 1} of ${found.length})` : '';
      const label = `${heading === '' ? '' : `${heading}: `}${said}${place}`.replace(/ \(at (most|least)[^)]*\)/, '');
      figures.set(label, Number(median.replaceAll(',', '')));
    });
  }
  return figures;
}

/** Both sides' figures in blocks: the median of every turn, and the ratio of the middle ones. */
export function comparison(before, after) {
  const labels = [...new Set([...before, ...after].flatMap((turn) => [...turn.keys()]))];
  const side = (turns, label) => turns.map((turn) => turn.get(label)).filter((value) => value !== undefined);
  return labels.map((label) => {
    const [old, now] = [side(before, label), side(after, label)];
    const ratio = old.length > 0 && now.length > 0 ? (middle(now) / middle(old)).toFixed(2) : '-';
    return `${label}\n  before  ${shown(old)}\n  after   ${shown(now)}\n  ratio   ${ratio}\n`;
  });
}

function middle(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

function shown(values) {
  return values.length === 0 ? '-' : values.map((value) => value.toLocaleString('en')).join('  ');
}

export function benchAgainst(revision, words) {
  const before = checkOut(revision);
  const outputs = { before: [], after: [] };
  for (let turn = 1; turn <= TURNS; turn += 1) {
    outputs.before.push(figuresIn(measured(before, words, `turn ${turn} of ${TURNS}, before`)));
    outputs.after.push(figuresIn(measured(root, words, `turn ${turn} of ${TURNS}, after`)));
  }
  process.stdout.write(`\n${revision} (before) and this tree (after), medians of ${TURNS} turns:\n\n`);
  process.stdout.write(comparison(outputs.before, outputs.after).join('\n'));
}

/** A clone of this repository at the revision, kept for the next comparison. */
function checkOut(revision) {
  const { stdout, status } = spawnSync('git', ['rev-parse', '--verify', '--quiet', `${revision}^{commit}`], {
    cwd: root,
    encoding: 'utf8',
  });
  if (status !== 0) fail(`no commit ${revision}; git log names them`);
  const commit = stdout.trim();
  const folder = join(root, 'node_modules', '.mk-against', commit);
  if (!existsSync(join(folder, 'package.json'))) {
    mkdirSync(folder, { recursive: true });
    run('git', ['clone', '--quiet', '--no-checkout', root, folder]);
    run('git', ['checkout', '--quiet', commit], { cwd: folder });
  }
  return folder;
}

/** Runs the benchmark in a checkout. Exit status 1 means a missed target; its figures count all the same. */
function measured(folder, words, title) {
  process.stderr.write(`bench: ${title}\n`);
  const { stdout, status, error } = spawnSync('node', ['scripts/bench.mjs', ...words], {
    cwd: folder,
    encoding: 'utf8',
    stdio: ['inherit', 'pipe', 'inherit'],
  });
  if (error || (status !== 0 && status !== 1)) fail(`${words.join(' ')} failed in ${folder} (${error ?? status})`);
  return stdout;
}

function fail(text) {
  process.stderr.write(`bench: ${text}\n`);
  process.exit(2);
}
