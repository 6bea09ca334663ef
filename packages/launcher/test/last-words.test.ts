import { expect, test } from '@jest/globals';
import { lastWordsOf } from '../src/supervisor/last-words.ts';
import { startErrorText } from '../src/supervisor/start-error.ts';

test.each([
  [
    'Node without threads',
    [
      '  #  Assertion failed: (0) == (uv_thread_create(t.get(), start_thread, this))',
      '',
      '----- Native stack trace -----',
      ' 8: 0xbb835e _start [/usr/bin/node]',
    ],
    /^no more processes or threads are allowed .*\(Assertion failed/,
  ],
  [
    'Node without memory',
    ['#', '# Fatal process OOM in Failed to reserve virtual memory for CodeRange', '#'],
    /^the host has no memory left .*\(Fatal process OOM/,
  ],
  [
    'a core whose program took too much in one piece',
    ['<--- Last few GCs --->', 'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory'],
    /^a heap grew past its limit, .*--isolation process .*\(FATAL ERROR: Reached heap limit/,
  ],
  [
    'a core whose program made a table that is too large',
    ['FATAL ERROR: invalid table size Allocation failed - JavaScript heap out of memory', ' 1: 0xb9ce58 node::Abort()'],
    /^a heap grew past its limit, .*\(FATAL ERROR: invalid table size/,
  ],
  ['an error that was thrown', ['Error: a: b', '    at f (x.js:1:1)', 'Node.js v20.1.0'], /^Error: a: b$/],
  [
    'a logged error',
    ['{"level":"error","error":"PEER_GONE","text":"declared gone"}', 'x'],
    /^PEER_GONE: declared gone$/,
  ],
  ['nothing', [], /^$/],
])('the last words of %s', (_what, lines, wanted) => {
  expect(lastWordsOf(lines)).toMatch(wanted);
});

test.each(['EAGAIN', 'EMFILE', 'ENOMEM', 'E2BIG'])('%s of a start is explained', (code) => {
  const text = startErrorText(Object.assign(new Error(`spawn node ${code}`), { code }));
  expect(text).toMatch(new RegExp(`^[a-z].*; .* \\(${code}\\)$`));
});
