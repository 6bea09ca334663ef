import { describe, expect, test } from '@jest/globals';
import type { LinkPolicy, Service } from '@mk/node-kernel/monitor/service';
import { ServiceTable } from '@mk/node-kernel/monitor/service-table';

const linkPolicy: LinkPolicy = { admit: () => null, dialFailed: () => true };
const nothing = (): void => undefined;
const verb = { args: [], doc: '', run: nothing };

describe('the table of what services bring', () => {
  const tableOf = (services: Readonly<Record<string, Service>>): ServiceTable =>
    new ServiceTable({ gate: { linkPolicy }, ...services }, { status: verb });

  test('has everything under what it is asked for, and a hook’s listeners in the order of the list', () => {
    const first: Service = { messages: { ping_request: nothing }, start: nothing };
    const second: Service = { verbs: { greet: verb }, start: nothing, peerGone: nothing };
    const table = tableOf({ first, second });
    expect([...table.messages.keys()]).toEqual(['ping_request']);
    expect([...table.verbs.keys()]).toEqual(['status', 'greet']);
    expect(table.told.start).toEqual([first, second]);
    expect(table.told.peerGone).toEqual([second]);
    expect(table.told.volley).toEqual([]);
  });

  test.each([
    ['a message', { messages: { ping_request: nothing } }, 'the message ping_request is brought by a and by b'],
    ['a verb', { verbs: { greet: verb } }, 'the verb greet is brought by a and by b'],
    ['a round action', { roundActions: { noop: nothing } }, 'the round action noop is brought by a and by b'],
    ['an event', { events: { links_touched: nothing } }, 'the event links_touched is brought by a and by b'],
  ])('refuses %s that two services bring', (_what, service, text) => {
    expect(() => tableOf({ a: service, b: service })).toThrow(text);
  });

  test('refuses a verb of the kernel’s own', () => {
    expect(() => tableOf({ a: { verbs: { status: verb } } })).toThrow(
      'the verb status is brought by the kernel and by a',
    );
  });

  test('refuses a system call whose row names another service', () => {
    expect(() => tableOf({ a: { systemCalls: { send: nothing } } })).toThrow(
      'the system call send is brought by a; its row says capops',
    );
  });

  test('needs one service, and one only, that decides who may have a link', () => {
    expect(() => new ServiceTable({}, {})).toThrow('no service decides who may have a link');
    expect(() => tableOf({ other: { linkPolicy } })).toThrow('the link policy only is brought by gate and by other');
  });
});
