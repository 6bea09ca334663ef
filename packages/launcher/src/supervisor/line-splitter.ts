import { known } from '@mk/monitor-proto/assert';

/** Assembles chunks of text into whole lines. A line without an end is cut at 1 MiB, so that memory stays bounded. */
export function lineSplitter(onLine: (line: string) => void): (chunk: string) => void {
  let rest = '';
  return (chunk) => {
    const lines = (rest + chunk).split('\n');
    rest = known(lines.pop());
    for (const line of lines) if (line !== '') onLine(line);
    if (rest.length > 1 << 20) rest = '';
  };
}
