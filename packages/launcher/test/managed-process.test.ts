import { expect, test } from '@jest/globals';
import { ManagedProcess } from '@mk/launcher/supervisor/managed-process';
import { type BodyEvents, endedBy } from '@mk/launcher/supervisor/process-body';

/** A process that logged an error long ago. */
function complained(): { readonly process: ManagedProcess; readonly body: BodyEvents } {
  let body: BodyEvents | undefined;
  const process = new ManagedProcess(
    'skb',
    {
      identity: { pid: 7, startedTicks: null },
      listen: (events) => (body = events),
      tell: () => undefined,
      signal: () => undefined,
    },
    { message: () => undefined, logged: () => undefined, ended: () => undefined },
  );
  body!.logged('{"level":"error","event":"journal_failed","error":"JOURNAL_FAILED","text":"no space","msg":"m"}');
  return { process, body: body! };
}

test('whoever is killed has no last words: an error that it logged before is of something else', () => {
  const { process, body } = complained();
  body.ended(endedBy('SIGKILL'));
  expect([process.how, process.lastWords]).toEqual(['killed by SIGKILL', '']);
});

test('a named error, and what precedes any other end, are last words', () => {
  const named = complained();
  named.body.said({ type: 'failed', error: 'PEER_GONE' });
  named.body.ended(endedBy('SIGKILL'));
  expect(named.process.lastWords).toBe('PEER_GONE');
  for (const how of ['exit status 1', endedBy('SIGABRT')]) {
    const { process, body } = complained();
    body.ended(how);
    expect(process.lastWords).toBe('JOURNAL_FAILED: no space');
  }
});
