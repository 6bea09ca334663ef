import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { AssertionFailure, assert, assertInvariant } from '@mk/monitor-proto/assert';
import { INVARIANTS, type InvariantName } from '@mk/monitor-proto/invariants/table';
import { SendLane } from '@mk/monitor-proto/urpc/send-lane';

const PACKAGES = fileURLToPath(new URL('../../', import.meta.url));
/** A line of a protocol's header that states an invariant: ` *   U1  every message …`. */
const STATED = /^ \*(?: {3}| - )([A-Z]{1,2}[0-9]) {1,2}\S/;

function sources(): string[] {
  return readdirSync(PACKAGES, { recursive: true, encoding: 'utf8' }).filter(
    (path) => /^[^/]+\/src\/.*\.ts$/.test(path) && !path.includes('node_modules'),
  );
}

describe('the table of invariants', () => {
  test('names files that exist', () => {
    const missing = Object.entries(INVARIANTS).filter(([, { kept }]) => !existsSync(join(PACKAGES, kept)));
    expect(missing.map(([name, { kept }]) => `${name}: ${kept}`)).toEqual([]);
  });

  test('has every invariant that a header states, and each is stated by the file that keeps it', () => {
    const wrong: string[] = [];
    for (const path of sources()) {
      for (const line of readFileSync(join(PACKAGES, path), 'utf8').split('\n')) {
        const name = STATED.exec(line)?.[1];
        if (name === undefined) continue;
        const row = INVARIANTS[name as InvariantName] as { readonly kept: string } | undefined;
        const folder = row?.kept.split('/').slice(0, -1).join('/');
        if (row === undefined) wrong.push(`${name} of ${path} has no row`);
        else if (!path.startsWith(`${folder}/`) && !path.startsWith('sim/src/checkers/'))
          wrong.push(`${name} of ${path} is an invariant of ${row.kept} already: give it a number of its own`);
      }
    }
    expect(wrong).toEqual([]);
  });
});

describe('an assertion', () => {
  test('that holds does nothing, and makes no text', () => {
    assert(true, 'never');
    assertInvariant('U1', true, () => {
      throw new Error('text was made');
    });
  });

  test('that fails throws with its number and its text', () => {
    expect(() => assert(false, 'a lock too many')).toThrow(new AssertionFailure(null, 'a lock too many'));
    expect(() => assertInvariant('U3', false, () => 'seventy of sixty-four')).toThrow('U3: seventy of sixty-four');
  });

  test('of a lane sees marks that cannot be', () => {
    const lane = new SendLane(0, 64, 1024);
    lane.invariants();
    lane.acked = 1;
    expect(() => lane.invariants()).toThrow('U3: lane 0: acked 1, sent 0, highest 0, last 0');
  });
});
