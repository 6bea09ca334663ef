import { asError } from '@mk/monitor-proto/thrown';
import { AssertionFailure } from '@mk/monitor-proto/assert';
import type { MachineDescription } from '@mk/machine/description';
import { machineFromParent, tellParent } from '@mk/monitor-proto/io/parent';
import { claimDataDir } from './io/data-place.ts';
import { parseSkbSettings, type SkbSettings } from './io/settings.ts';
import { SkbProcess } from './io/skb-process.ts';

/** The SKB's program, configured by MK_SKB; its parent sends the machine. */
const settings = parseSkbSettings(process.env.MK_SKB);
if (typeof settings === 'string') {
  process.stderr.write(`mk skb: ${settings}\n`);
  process.exit(2);
}
void run(settings);

async function run(settings: SkbSettings): Promise<void> {
  try {
    const machine = settings.machineFollows ? await machineFromParent<MachineDescription>() : settings.machine;
    const place = await claimDataDir(settings.dataDir);
    await new SkbProcess({ ...settings, machine }, place).start();
  } catch (error) {
    if (error instanceof AssertionFailure) throw error; // a bug ends the process like any other
    const { name, message } = asError(error);
    const held = `JOURNAL_TAKEN: another SKB, ${message}, has the data directory ${settings.dataDir}; end it, or give this one its own`;
    const text = name === 'LockHeldError' ? held : `${name}: ${message}`;
    process.stderr.write(`mk skb: ${text}\n`);
    tellParent({ type: 'failed', error: text });
    process.exitCode = 1;
    setTimeout(() => process.exit(1), 50);
  }
}
