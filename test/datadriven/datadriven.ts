/*
 * Tests that read like traces. A file is a list of cases: comment lines (#), commands, a line `----`, and the commands'
 * expected output, up to an empty line. MK_REWRITE=1 replaces the expected output in the file by the actual one.
 */

export interface Case {
  readonly comments: readonly string[];
  readonly commands: readonly string[];
  readonly expected: string;
  /** Line number of the first command, from 1. */
  readonly line: number;
}

export function parseCases(text: string): readonly Case[] {
  const cases: Case[] = [];
  const lines = text.split('\n');
  for (let at = 0; at < lines.length;) {
    const comments: string[] = [];
    const commands: string[] = [];
    while (at < lines.length && (lines[at]!.startsWith('#') || (lines[at] === '' && commands.length === 0)))
      comments.push(lines[at++]!);
    const line = at + 1;
    while (at < lines.length && lines[at] !== '----' && lines[at] !== '') commands.push(lines[at++]!);
    if (commands.length === 0) break;
    if (lines[at] !== '----') throw new Error(`line ${line}: commands without ----`);
    at += 1;
    const expected: string[] = [];
    while (at < lines.length && lines[at] !== '') expected.push(lines[at++]!);
    cases.push({ comments, commands, expected: expected.join('\n'), line });
  }
  return cases;
}

/** The file with the expected output replaced by the printed one. */
export function rewrite(cases: readonly Case[], printed: readonly string[]): string {
  const blocks = cases.map(({ comments, commands }, i) =>
    [...comments, ...commands, '----', ...(printed[i] === '' ? [] : [printed[i]!])].join('\n'),
  );
  return `${blocks.join('\n')}\n`;
}

/** `verb name=value …` or `verb word word`. */
export interface Command {
  readonly verb: string;
  readonly words: readonly string[];
  readonly args: Readonly<Record<string, string>>;
}

export function parseCommand(line: string): Command {
  const [verb = '', ...rest] = line.trim().split(/\s+/);
  const args: Record<string, string> = {};
  const words: string[] = [];
  for (const word of rest) {
    const equals = word.indexOf('=');
    if (equals > 0) args[word.slice(0, equals)] = word.slice(equals + 1);
    else words.push(word);
  }
  return { verb, words, args };
}
