import { describe, expect, it } from 'vitest';
import { mapData, mapGrid } from '../src/map_data';
import { curvesCsv, curvesJson, mapCsv, mapJson, markdownReport } from '../src/report';
import { NOT_MEASURED } from '../src/wire';
import { detail, finding, series, signal, timeline } from './builders';

function data(names: string[], values: number[][]) {
  const row = { layer: '', role: 'kernel', size: 1, function: '' };
  const source = {
    signal: signal(),
    series: series(values, [0, 9]),
    rows: names.map((name) => ({ ...row, name })),
    timeline: timeline([0, 9], [0, 1]),
  };
  const cells = mapGrid(source, { field: null, scale: null, allSteps: false });
  return mapData(source, cells, { rowFilter: '', grouped: false, opened: new Set() });
}

describe('values to take away', () => {
  it('are lines of a CSV, names quoted and no formulas', () => {
    const lines = mapCsv(
      data(
        ['a,"b"', '=1+1'],
        [
          [1, Number.NaN],
          [2, 3],
        ],
      ),
    )
      .trim()
      .split('\r\n');
    expect(lines).toEqual([
      'row,first_step,last_step,mean',
      '"a,""b""",0,0,1',
      '"a,""b""",9,9,NaN',
      "'=1+1,0,0,2",
      "'=1+1,9,9,3",
    ]);
  });

  it('are JSON in which what is not finite is a word', () => {
    const { values } = JSON.parse(mapJson(data(['a'], [[1, Number.NEGATIVE_INFINITY]])));
    expect(values[1]).toEqual({ row: 'a', first_step: 9, last_step: 9, mean: '-Infinity' });
  });
});

describe('the report', () => {
  const root = finding({
    id: 'root',
    title: 'Learning rate is too high',
    evidence: [
      { label: 'ratio', value: 3, limit: 1, unit: '', signal: '', step: 4, row: 'dense/kernel' },
    ],
    causes: [{ text: 'No warm-up', confidence: 'likely', support: 'Seen.' }],
    fixes: [{ text: 'Lower it.', code: 'SGD(0.01)' }],
  });
  const run = detail({
    verdict: 'error',
    headline: root.title,
    facts: { batch_size: 32 },
    findings: [root, finding({ caused_by: 'root' })],
  });

  it('tells root causes, and what follows from them beneath', () => {
    const report = markdownReport(run);
    for (const part of [
      '# Ill: Learning rate is too high',
      'batch size 32',
      '## GH401 Learning rate is too high',
      '- ratio: 3 (limit 1) in `dense/kernel`, step 4',
      '- likely: No warm-up (Seen.)',
      '```python\nSGD(0.01)\n```',
      '### GH401 Units of `dense` are dead',
    ]) {
      expect(report).toContain(part);
    }
  });

  it('keeps backticks in a name from ending the code that it is set in', () => {
    expect(markdownReport(detail({ run: 'a`b' }))).toContain('Run `` a`b ``');
  });

  it('holds no markup of a stranger, and leaves code as it is', () => {
    const title = 'Units of `<b>` and <img src=x>\n# are dead';
    const facts = { optimizer: '<img src=x>' };
    const fixes = [{ text: '<i>', code: 'f("""\n```\n""")' }];
    const report = markdownReport(detail({ facts, findings: [finding({ title, fixes })] }));
    expect(report).toContain('Units of `<b>` and &lt;img src=x> # are dead');
    expect(report).toContain('Set up with: optimizer &lt;img src=x>.');
    expect(report).toContain('1. &lt;i>\n\n````python\nf("""\n```\n""")\n````');
  });
});

describe('curves', () => {
  const curve = {
    label: '=run',
    spec: signal({ name: 'loss', unit: 'nats' }),
    series: series([[1, NOT_MEASURED, Number.NaN]], [0, 5, 9], { fields: ['mean', 'min'] }),
    row: 0,
  };

  it('are written point by point, without those that were not measured', () => {
    expect(curvesCsv([curve], timeline([0, 5, 9])).split('\r\n')).toEqual([
      'curve,signal,unit,first_step,last_step,value,min,max',
      "'=run,loss,nats,0,0,1,1,",
      "'=run,loss,nats,9,9,NaN,NaN,",
      '',
    ]);
  });

  it('keep what is not finite in JSON', () => {
    const { values } = JSON.parse(curvesJson([curve], timeline([9])));
    expect(values).toEqual([
      {
        curve: '=run',
        signal: 'loss',
        unit: 'nats',
        first_step: 9,
        last_step: 9,
        value: 'NaN',
        min: 'NaN',
        max: null,
      },
    ]);
  });
});
