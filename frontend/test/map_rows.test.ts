import { describe, expect, it } from 'vitest';
import { blockOf, hasBlocks, mapLines, rowFilter } from '../src/map_rows';

const row = (name: string, layer = name.split('/').slice(0, -1).join('/')) => ({
  name,
  layer,
  role: 'kernel',
  size: 1,
  function: '',
});

const rows = ['encoder/block_0/a/kernel', 'encoder/block_0/b/kernel', 'head/kernel'].map((name) =>
  row(name),
);
const choice = { rowFilter: '', grouped: false, opened: new Set<string>() };
const names = (change: object) => mapLines(rows, { ...choice, ...change }).map(({ name }) => name);

describe('a filter of rows', () => {
  it.each([
    ['BLOCK_0', 2],
    ['^head', 1],
    ['a/|head', 2],
    ['', 3],
    ['nothing', 0],
  ])('%s', (text, count) => {
    expect(names({ rowFilter: text })).toHaveLength(count);
  });

  it('takes what is no regular expression as it is', () => {
    const filter = rowFilter('conv(');
    expect(filter.literal).toBe(true);
    expect(filter.matches('Conv(2)')).toBe(true);
  });
});

describe('blocks', () => {
  it('fold into one line, and a row that is alone stays a row', () => {
    expect(names({ grouped: true })).toEqual(['encoder/block_0', 'head/kernel']);
  });

  it('unfold beneath their own line', () => {
    const opened = new Set(['encoder/block_0']);
    const lines = mapLines(rows, { ...choice, grouped: true, opened });
    expect(lines.map(({ rows: members }) => members)).toEqual([[0, 1], [0], [1], [2]]);
    expect(new Set(lines.map(({ key }) => key)).size).toBe(lines.length);
  });

  it.each([
    ['conv2_block1_1_conv/kernel', 'conv2_block1'],
    ['encoder/layer.3/dense/kernel', 'encoder/layer.3'],
    ['model/tower/dense/kernel', 'model/tower'],
    ['dense/kernel', 'dense'],
    ['dense', 'dense'],
  ])('of %s is %s', (name, block) => {
    expect(blockOf(row(name))).toBe(block);
  });

  it('are worth a button only where rows share one', () => {
    expect(hasBlocks(rows)).toBe(true);
    expect(hasBlocks([row('a/kernel'), row('b/kernel')])).toBe(false);
  });
});
