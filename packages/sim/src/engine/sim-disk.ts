import type { JournalChange, JournalContents } from '@mk/skb/journal/changes';
import type { OctopusChange } from '@mk/skb/octopus/change';
import type { AgreedView } from '@mk/skb/registry/founding';

/**
 * The simulated SKB's disk: outlives its process. Keeps changes in the order of writing and reads them back like the
 * SQLite journal (skb/src/journal).
 */
export class SimDisk {
  /** How often the SKB was started from this disk. */
  lives = 0;
  /** The last view that the SKB knew. */
  view: AgreedView | null = null;
  private readonly changes: JournalChange[] = [];

  append(changes: readonly JournalChange[]): void {
    this.changes.push(...changes);
  }

  contents(): JournalContents {
    const octopus: JournalContents['octopus'][number][] = [];
    const facts = new Map<string, JournalContents['facts'][number]>();
    const rules = new Map<string, JournalContents['rules'][number]>();
    let answers: JournalContents['answers'] = [];
    for (const change of this.changes) {
      if (isOctopus(change)) octopus.push(change);
      else if (change.type === 'answers_put') answers = [...answers, change];
      else if (change.type === 'answers_forget')
        answers = answers.filter(({ client, last }) => client !== change.client || last >= change.below);
      else if (change.type === 'fact_put') facts.set(change.text, change.fact);
      else if (change.type === 'fact_remove') facts.delete(change.text);
      else if (change.type === 'rules_put') rules.set(change.name, change);
      else rules.delete(change.name);
    }
    return { octopus, answers, facts: [...facts.values()], rules: [...rules.values()] };
  }
}

function isOctopus(change: JournalChange): change is OctopusChange {
  const { type } = change;
  return type === 'put' || type === 'remove' || type === 'counter' || type === 'counter_remove';
}
