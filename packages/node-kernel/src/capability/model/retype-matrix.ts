/** The reference tables of capability types, generated from the type table. */
import { rightNames } from './rights.ts';
import { retypeAllowed } from './type-rules.ts';
import { CAPABILITY_TYPE_NAMES, typeRow } from './types.ts';
import type { CapabilityType, SizeRule } from './types.ts';

/** Markdown: every type against every type, `✓` where an explicit retype from the row to the column is legal. */
export function retypeMatrixMarkdown(): string {
  const names = CAPABILITY_TYPE_NAMES.filter((name) => name !== 'Null');
  const header = `| from \\ to | ${names.join(' | ')} |`;
  const rule = `|---|${names.map(() => ':-:|').join('')}`;
  return [header, rule, ...names.map((from) => matrixRow(from, names))].join('\n') + '\n';
}

function matrixRow(from: CapabilityType, names: readonly CapabilityType[]): string {
  return `| **${from}** | ${names.map((to) => (retypeAllowed(from, to) ? '✓' : '·')).join(' | ')} |`;
}

/** Markdown: one line per type with everything from its row. */
export function typeTableMarkdown(): string {
  const header = '| type | retyped from | size | fields | properties | rights | |\n|---|---|---|---|---|---|---|';
  return [header, ...CAPABILITY_TYPE_NAMES.map(typeLine)].join('\n') + '\n';
}

function typeLine(name: CapabilityType): string {
  const row = typeRow(name);
  const sources = [...row.parents, ...(row.fromSelf ? ['itself'] : [])].join(', ');
  const from = row.mapping ? `${sources} (by map)` : sources;
  const properties = [
    row.moveable && 'moveable',
    row.needsLocality ? 'one owner' : 'owned everywhere',
    row.mappable && 'mappable',
    !row.sendable && 'unsendable',
    row.multiRetype && 'children may overlap',
  ]
    .filter(Boolean)
    .join(', ');
  const cells = [name, from || '–', sizeText(row.size), row.fields.join(', ') || '–', properties];
  return `| ${cells.join(' | ')} | ${rightNames(row.rights).join(' ') || '–'} | ${row.doc} |`;
}

function sizeText(size: SizeRule): string {
  if (size.kind === 'none') return '0';
  if (size.kind === 'exact') return `${size.bytes} B`;
  return size.bytes === 1 ? 'any' : `n × ${size.bytes} B`;
}
