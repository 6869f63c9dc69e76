/** Which rows the map shows, and how they gather in blocks. */
import type { MapChoice } from './state';
import type { Row } from './wire';

/** One line of the map: a row, or a block of rows that are folded into one. */
export interface MapLine {
  /** Of the row or the block; unique among the lines. */
  key: string;
  name: string;
  /** Numbers of the rows that it stands for. */
  rows: number[];
  /** Of a row; null for a block. */
  row: Row | null;
  /** Of a block: whether its rows follow. */
  open: boolean;
}

export interface RowFilter {
  matches(name: string): boolean;
  /** The text is no regular expression, and was taken as it is. */
  literal: boolean;
}

/** Text or a regular expression, whatever its case. */
export function rowFilter(text: string): RowFilter {
  const wanted = text.trim();
  try {
    const pattern = new RegExp(wanted, 'i');
    return { matches: (name) => pattern.test(name), literal: false };
  } catch {
    const plain = wanted.toLowerCase();
    return { matches: (name) => name.toLowerCase().includes(plain), literal: true };
  }
}

type Choice = Pick<MapChoice, 'rowFilter' | 'grouped' | 'opened'>;

export function mapLines(rows: readonly Row[], choice: Choice): MapLine[] {
  const { matches } = rowFilter(choice.rowFilter);
  const shown = rows.flatMap((row, index) => (matches(row.name) ? [index] : []));
  const single = (index: number): MapLine => {
    const row = rows[index] as Row;
    return { key: row.name, name: row.name, rows: [index], row, open: false };
  };
  if (!choice.grouped) return shown.map(single);
  return blocksOf(rows, shown).flatMap(([name, members]) => {
    if (members.length === 1) return members.map(single);
    const open = choice.opened.has(name);
    const block = { key: `${name}/`, name, rows: members, row: null, open };
    return open ? [block, ...members.map(single)] : [block];
  });
}

/** Rows by block, each block at the place of its first row. */
function blocksOf(rows: readonly Row[], shown: readonly number[]): [string, number[]][] {
  const blocks = new Map<string, number[]>();
  for (const index of shown) {
    const name = blockOf(rows[index] as Row);
    const members = blocks.get(name);
    if (members) members.push(index);
    else blocks.set(name, [index]);
  }
  return [...blocks];
}

/** A name that counts blocks, such as `conv2_block1_1_conv` or `layer.3.attention`. */
const NUMBERED = /^(.*?(?:block|layer|stage|cell|encoder|decoder|head)s?[_./-]?\d+)/i;

/** The numbered block in the name, else the path above the layer, else the layer itself. */
export function blockOf({ name, layer }: Row): string {
  const path = layer || name;
  const numbered = path.match(NUMBERED)?.[1];
  if (numbered) return numbered;
  const cut = path.lastIndexOf('/');
  return cut > 0 ? path.slice(0, cut) : path;
}

/** Whether there is anything to gather. */
export function hasBlocks(rows: readonly Row[]): boolean {
  return new Set(rows.map(blockOf)).size < rows.length;
}
