/** A separate process that appends until it is killed, and prints the number of each write once it is acknowledged. */
import { writeSync } from 'node:fs';
import { SqliteJournal } from '../../src/journal/io/sqlite-journal.ts';

const [path, from] = process.argv.slice(2);
const journal = new SqliteJournal(String(path));
writeSync(1, `${JSON.stringify(journal.events)}\n`);

async function writeAll(lane: number): Promise<void> {
  for (let index = Number(from) + lane; ; index += 50) {
    await journal.append([{ type: 'put', name: `r${index}`, text: `r${index} { value: ${index} }` }]);
    writeSync(1, `${index}\n`);
  }
}

for (let lane = 0; lane < 50; lane++) void writeAll(lane);
