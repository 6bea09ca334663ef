/** A dissemination tree for people: text, Graphviz DOT and SVG. Pure string builders. */
import { escaped } from '@mk/monitor-proto/escaped';
import { known } from '@mk/monitor-proto/assert';
import type { CoreId } from '@mk/monitor-proto/ids';
import type { TreeNode } from './multicast-tree.ts';

/** Called for each edge; the result is written beside the edge (a cost, a relation), unless it is ''. */
export type EdgeLabel = (from: number, to: number) => string;

const NO_LABEL: EdgeLabel = () => '';
/** Pixels: a node's circle, and the grid that the nodes stand on. */
const SVG = { radius: 14, columnWidth: 44, rowHeight: 84, margin: 24 } as const;

/** An indented drawing with one core per line, children in send order. */
export function treeAsText(tree: TreeNode, label: EdgeLabel = NO_LABEL): string {
  const lines = [`core ${tree.core}`];
  appendText(tree, '', label, lines);
  return lines.join('\n') + '\n';
}

/** A Graphviz digraph; edges carry the send order from 1, and the label. */
export function treeAsDot(tree: TreeNode, label: EdgeLabel = NO_LABEL): string {
  const lines = [`  c${tree.core} [label="${tree.core}", shape=doublecircle];`];
  visit(tree, (parent, child, index) => {
    const text = edgeText(label, parent.core, child.core, index);
    lines.push(`  c${child.core} [label="${child.core}"];`);
    lines.push(`  c${parent.core} -> c${child.core} [label=${JSON.stringify(text)}];`);
  });
  return ['digraph dissemination {', '  node [shape=circle];', ...lines, '}', ''].join('\n');
}

/** A stand-alone SVG document: leaves side by side, every parent above the middle of its children. */
export function treeAsSvg(tree: TreeNode, label: EdgeLabel = NO_LABEL): string {
  const places = new Map<number, { x: number; y: number }>();
  const size = place(tree, 0, { nextColumn: 0, depth: 0 }, places);
  const width = 2 * SVG.margin + size.nextColumn * SVG.columnWidth;
  const height = 2 * SVG.margin + size.depth * SVG.rowHeight + 2 * SVG.radius;
  const body: string[] = [];
  visit(tree, (parent, child, index) => {
    const from = at(places, parent.core);
    const to = at(places, child.core);
    const middle = { x: (from.x + to.x) / 2, y: (from.y + to.y) / 2 };
    body.push(`<line x1="${from.x}" y1="${from.y}" x2="${to.x}" y2="${to.y}" stroke="#888"/>`);
    const text = escaped(edgeText(label, parent.core, child.core, index));
    body.push(`<text x="${middle.x}" y="${middle.y}" font-size="9" fill="#555">${text}</text>`);
  });
  for (const [core, { x, y }] of places) {
    const fill = core === tree.core ? '#cde' : '#fff';
    body.push(`<circle cx="${x}" cy="${y}" r="${SVG.radius}" fill="${fill}" stroke="#333"/>`);
    body.push(`<text x="${x}" y="${y + 4}" font-size="12" text-anchor="middle">${core}</text>`);
  }
  const open = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" font-family="sans-serif">`;
  return [open, `<title>Dissemination tree of core ${tree.core}</title>`, ...body, '</svg>', ''].join('\n');
}

function appendText(node: TreeNode, indent: string, label: EdgeLabel, lines: string[]): void {
  node.children.forEach((child, index) => {
    const last = index === node.children.length - 1;
    const note = label(node.core, child.core);
    lines.push(`${indent}${last ? '└─' : '├─'} core ${child.core}${note === '' ? '' : `  (${note})`}`);
    appendText(child, indent + (last ? '   ' : '│  '), label, lines);
  });
}

function visit(node: TreeNode, onEdge: (parent: TreeNode, child: TreeNode, index: number) => void): void {
  node.children.forEach((child, index) => {
    onEdge(node, child, index);
    visit(child, onEdge);
  });
}

function edgeText(label: EdgeLabel, from: number, to: number, index: number): string {
  const note = label(from, to);
  return note === '' ? String(index + 1) : `${index + 1}: ${note}`;
}

interface Extent {
  readonly nextColumn: number;
  readonly depth: number;
}

function place(node: TreeNode, depth: number, extent: Extent, places: Map<number, { x: number; y: number }>): Extent {
  let grown: Extent = { nextColumn: extent.nextColumn, depth: Math.max(extent.depth, depth) };
  for (const child of node.children) grown = place(child, depth + 1, grown, places);
  const y = SVG.margin + SVG.radius + depth * SVG.rowHeight;
  if (node.children.length === 0) {
    places.set(node.core, { x: SVG.margin + (grown.nextColumn + 0.5) * SVG.columnWidth, y });
    return { nextColumn: grown.nextColumn + 1, depth: grown.depth };
  }
  const first = at(places, known(node.children[0]).core);
  const last = at(places, known(node.children.at(-1)).core);
  places.set(node.core, { x: (first.x + last.x) / 2, y });
  return grown;
}

function at(places: ReadonlyMap<number, { x: number; y: number }>, core: CoreId): { x: number; y: number } {
  const found = places.get(core);
  if (found === undefined) throw new Error(`core ${core} has no place in the drawing`);
  return found;
}
