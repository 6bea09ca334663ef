import { describe, expect, test } from '@jest/globals';
import { makeFrameView } from '@mk/libmk/dispatcher/frame-view';
import { borderLimit } from '@mk/libmk/dispatcher/limits';
import { limit } from '@mk/monitor-proto/limits';
import { Dispatcher } from '@mk/node-kernel/cpu-driver/dispatchers/dispatcher';
import { newTask } from '@mk/node-kernel/cpu-driver/scheduler/task';
import { PageCopies } from '@mk/node-kernel/memory/page-copies';

const [PAGE, DISPATCHER] = [7, 1] as const;

/** The copies of a core that contributes none of the pages, and whether one of its dispatchers is in a turn. */
function scene() {
  const world = { inTurn: false };
  const copies = new PageCopies({ inTurn: () => world.inTurn, keeps: () => false });
  let turns = 0;
  const granted = (page: number = PAGE) => {
    copies.bytesOf(page).fill(page);
    copies.setState(page, 'shared');
    const view = copies.hand(page, DISPATCHER, (turns += 1));
    copies.turnOver(DISPATCHER, turns);
    return view;
  };
  const recalled = (page: number = PAGE): void => {
    copies.setState(page, 'invalid');
    copies.sweep();
  };
  return { world, copies, granted, recalled };
}

describe('the buffer of a page that was recalled', () => {
  test('takes the page again when it comes back: who was handed it needs no other', () => {
    const { copies, granted, recalled } = scene();
    const view = granted();
    recalled();
    expect({ kept: copies.size, word: copies.wordOf(PAGE) }).toEqual({ kept: 1, word: 0 });
    expect(granted()).toBe(view);
    expect({ word: copies.wordOf(PAGE), broken: copies.invariants() }).toEqual({ word: 1, broken: [] });
  });

  test('is no more when its mapping was taken away, before the recall or after it', () => {
    for (const order of ['unmapped first', 'recalled first']) {
      const { copies, granted, recalled } = scene();
      const view = granted();
      let told = 0;
      if (order === 'recalled first') recalled();
      copies.relocate(PAGE, () => (told += 1));
      copies.sweep();
      recalled();
      expect({ order, told, kept: copies.size }).toEqual({ order, told: 1, kept: 0 });
      expect(granted()).not.toBe(view);
    }
  });

  test('goes with the last dispatcher that was handed it', () => {
    const { copies, granted, recalled } = scene();
    granted();
    recalled();
    copies.dispatcherGone(DISPATCHER + 1);
    copies.sweep();
    expect(copies.size).toBe(1);
    copies.dispatcherGone(DISPATCHER);
    copies.sweep();
    expect(copies.size).toBe(0);
  });

  test('is another one when somebody was in a turn, and when the memory was freed', () => {
    const inTurn = scene();
    const first = inTurn.granted();
    inTurn.world.inTurn = true;
    inTurn.recalled();
    inTurn.world.inTurn = false;
    expect([inTurn.copies.size, inTurn.granted() === first]).toEqual([0, false]);

    const freed = scene();
    freed.granted();
    freed.recalled();
    freed.copies.forgotten(PAGE);
    freed.copies.sweep();
    expect(freed.copies.size).toBe(0);
  });

  test('is given up for younger ones beyond the limit; pages in use are not', () => {
    const { copies, granted, recalled } = scene();
    const most = limit('idlePageBuffers');
    const used = granted(0);
    for (let page = 1; page <= most + 2; page += 1) {
      granted(page);
      recalled(page);
    }
    expect(copies.size).toBe(most + 1);
    expect([copies.peek(1), copies.peek(2)]).toEqual([null, null]);
    expect(granted(0)).toBe(used);
  });
});

test('a dispatcher is handed a buffer once as long as it is among the last; the number names it again', () => {
  const program = { name: 'p', bytes: new Uint8Array(), digest: '' };
  const dispatcher = new Dispatcher(1 as never, '0.1.1', program, newTask({ kind: 'best_effort' } as never), 0);
  const views = Array.from({ length: borderLimit('framesHeld') + 1 }, () => makeFrameView(1));
  const [first, second] = [views[0]!, views[1]!];
  expect([first, second, first].map((view) => dispatcher.hand(view))).toEqual([1, 2, 1]);
  expect(dispatcher.takeFrames().map(({ frame }) => frame)).toEqual([1, 2]);
  expect([dispatcher.hand(first), dispatcher.takeFrames()]).toEqual([1, []]);
  for (const view of views.slice(2)) dispatcher.hand(view);
  expect(dispatcher.hand(second)).toBe(2);
  expect(dispatcher.hand(first)).toBe(views.length + 1);
});
