import { describe, expect, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Rbed } from '../../../src/cpu-driver/scheduler/rbed.ts';
import { replay, type Vector } from './replay.ts';

const folder = join(dirname(fileURLToPath(import.meta.url)), 'vectors');
const vectors = readdirSync(folder)
  .filter((name) => name.endsWith('.json'))
  .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Vector & { readonly about: string });

describe('RBED gives the timelines of Barrelfish’s simulator', () => {
  test.each(vectors.map((vector) => [vector.name, vector.about, vector] as const))(
    '%s: %s',
    (_name, _about, vector) => {
      expect(replay(vector, new Rbed(vector.timeslice))).toEqual(vector.dispatched);
    },
  );
});
