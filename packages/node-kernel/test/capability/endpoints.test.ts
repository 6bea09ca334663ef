import { expect, test } from '@jest/globals';
import { deleteStep } from '@mk/node-kernel/capability/invocations/delete-step';
import { at, KIB, World } from './world.ts';

test('endpoints go with the last copy of their dispatcher, and its memory can be used again', () => {
  const world = new World();
  world.retype(0, 1, 'RAM', { objectSize: 4 * KIB });
  world.retype(1, 2, 'Dispatcher');
  world.retype(2, 3, 'EndPointLMP', { fields: [7] });
  expect(world.slot(3).capability?.type).toBe('EndPointLMP');
  const { state } = world;
  const { group } = world.slot(2);
  expect(group?.slots.size).toBe(1);
  world.invoke({ operation: 'copy', source: at(2), destination: at(4) });
  world.invoke({ operation: 'delete', target: at(2) });
  expect(world.slot(3).capability?.type).toBe('EndPointLMP');
  state.deletions.enqueue(world.slot(4));
  while (stepOf(world) === 'more');
  expect(world.slot(3).capability).toBeNull();
  expect(world.audit()).toEqual([]);
});

function stepOf(world: World): string {
  return deleteStep(world.state).state;
}
