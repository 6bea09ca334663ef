import { expect, test } from '@jest/globals';
import { mergeMetrics } from '../src/client/merge-metrics.ts';
import { summariseByRelation } from '../src/client/latency-summary.ts';
import { splitAddress } from '@mk/libmk/io/control-call';
import { LogPrinter } from '../src/display/log-printer.ts';
import { processTerminal } from '../src/cli/terminal.ts';
import { lineSplitter } from '../src/supervisor/line-splitter.ts';
import { LogHub } from '../src/supervisor/log-hub.ts';

test('lines are whole whatever the chunks are', () => {
  const lines: string[] = [];
  const split = lineSplitter((line) => lines.push(line));
  for (const chunk of ['a', 'b\nc', '\n\n', 'd\ne']) split(chunk);
  expect(lines).toEqual(['ab', 'c', 'd']);
});

test('the log hub keeps the last lines in order and hands on new ones', () => {
  const hub = new LogHub(3);
  for (const line of ['1', '2', '3', '4']) hub.add(line);
  expect(hub.lines()).toEqual(['2', '3', '4']);
  const heard: string[] = [];
  const stop = hub.follow((line) => heard.push(line));
  hub.add('5');
  stop();
  hub.add('6');
  expect(heard).toEqual(['5']);
});

test('metrics of many processes are one page: each family once, each sample with its process', () => {
  const body = '# HELP mk_x X\n# TYPE mk_x counter\nmk_x 1\nmk_x{lane="0"} 2\n';
  expect(
    mergeMetrics([
      { process: 'skb', body },
      { process: 'core-0', body },
    ]),
  ).toBe(
    '# HELP mk_x X\n# TYPE mk_x counter\nmk_x{process="skb"} 1\nmk_x{process="skb",lane="0"} 2\nmk_x{process="core-0"} 1\nmk_x{process="core-0",lane="0"} 2\n',
  );
});

test('round trips are summed up by relation, nearest first', () => {
  const rows = [
    [0, 1, 30],
    [1, 0, 10],
    [0, 2, 500],
    [2, 0, 700],
  ].map(([from, to, min]) => ({ from: from!, to: to!, min: min!, average: 0, variance: 0, max: 0 }));
  expect(summariseByRelation(rows, (a, b) => (a + b > 1 ? 'far' : 'near'))).toEqual([
    { relation: 'near', pairs: 2, minNs: 10, medianNs: 10, maxNs: 30 },
    { relation: 'far', pairs: 2, minNs: 500, medianNs: 500, maxNs: 700 },
  ]);
});

test('addresses are split strictly', () => {
  expect(splitAddress('host.example:80')).toEqual({ host: 'host.example', port: 80 });
  expect(splitAddress('[::1]:7000')).toEqual({ host: '::1', port: 7000 });
  for (const wrong of ['', 'host', 'host:', ':80', 'host:0', 'host:70000', 'a:b:c', 'http://h:1'])
    expect(() => splitAddress(wrong)).toThrow('is not an address');
});

test('the same news from many cores becomes one line; what is old or below a warning is not news', () => {
  const printed: string[] = [];
  const printer = new LogPrinter(
    { ...processTerminal(), colour: plainColours() },
    () => 1000,
    (text) => printed.push(text),
  );
  const line = (core: number, event: string, level: string, time: number): string =>
    JSON.stringify({ level, time, event, core, peer: 9, silent_ms: 100 + core });
  for (const core of [0, 1, 2, 5]) printer.add(line(core, 'peer_suspected', 'warn', 2000));
  printer.add(line(3, 'peer_suspected', 'warn', 500));
  printer.add(line(3, 'core_ready', 'info', 2000));
  printer.add('no json');
  printer.flush();
  expect(printed).toEqual(['00:00:02.000 warn  cores 0-2,5  peer_suspected  peer=9 silent_ms=100']);
});

function plainColours(): ReturnType<typeof processTerminal>['colour'] {
  return new Proxy({}, { get: () => (text: string) => text }) as ReturnType<typeof processTerminal>['colour'];
}
