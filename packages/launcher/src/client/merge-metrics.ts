import { known } from '@mk/monitor-proto/assert';

/** The Prometheus page of one process. */
export interface MetricsPage {
  readonly process: string;
  readonly body: string;
}

/**
 * Merges pages: each family's HELP and TYPE once, its samples together, each labelled with `process` to keep those of
 * two processes apart.
 */
export function mergeMetrics(pages: readonly MetricsPage[]): string {
  const families = new Map<string, { head: string[]; samples: string[] }>();
  for (const { process, body } of pages) {
    let family: { head: string[]; samples: string[] } = { head: [], samples: [] };
    for (const line of body.split('\n')) {
      if (line === '') continue;
      const comment = /^# (HELP|TYPE) (\S+)/.exec(line);
      if (comment === null) {
        if (!line.startsWith('#')) family.samples.push(labelled(line, process));
        continue;
      }
      const name = known(comment[2]);
      family = families.get(name) ?? { head: [], samples: [] };
      families.set(name, family);
      if (!family.head.includes(line)) family.head.push(line);
    }
  }
  return [...families.values()].flatMap(({ head, samples }) => [...head, ...samples]).join('\n') + '\n';
}

function labelled(sample: string, process: string): string {
  const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?(\s.*)$/.exec(sample);
  if (match === null) return sample;
  const [, name, labels, value] = match;
  if (labels !== undefined && /(^|,)process="/.test(labels)) return sample;
  return `${name}{process="${process}"${labels ? `,${labels}` : ''}}${value}`;
}

/** One sample of a page of metrics. */
export interface MetricSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Null: NaN or infinite, which JSON cannot express. */
  readonly value: number | null;
}

/** The samples of a Prometheus page, in its order. */
export function samplesOf(page: string): readonly MetricSample[] {
  return page.split('\n').flatMap((line) => {
    const [, name, labels = '', text = ''] = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/.exec(line) ?? [];
    if (name === undefined) return [];
    const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, value]) => [
      known(key),
      unescaped(known(value)),
    ]);
    const value = Number(text.replace('Inf', 'Infinity'));
    return [{ name, labels: Object.fromEntries(pairs), value: Number.isFinite(value) ? value : null }];
  });
}

function unescaped(value: string): string {
  return value.replace(/\\(.)/g, (_all, letter: string) => (letter === 'n' ? '\n' : letter));
}
