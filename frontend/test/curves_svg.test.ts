// @vitest-environment happy-dom
import { expect, it } from 'vitest';
import { curvesSvg, type SvgInk } from '../src/charts/curves_svg';
import { lineData } from '../src/charts/line_data';
import { series, timeline } from './builders';

const ink: SvgInk = {
  band: '#ccc',
  grid: '#eee',
  text: '#555',
  mark: '#c04',
  healthy: '#efe',
  limit: '#b00',
  lines: ['#337', '#c41'],
  ground: '#fff',
  ink: '#111',
};
const steps = timeline([0, 1, 2]);
const data = (values: number[]) => lineData(series([values], [0, 1, 2]), 0, steps);

function parsed(svg: string): Document {
  return new DOMParser().parseFromString(svg, 'image/svg+xml');
}

it('draws each line, what is not finite, the limit and the steps', () => {
  const line = { label: 'Loss', data: data([1, Number.NaN, 3]), tone: 0 };
  const svg = curvesSvg('cnn', [{ title: 'Loss', lines: [line], limits: [2] }], steps, ink);
  const words = [...parsed(svg).querySelectorAll('text')].map((item) => item.textContent);
  expect(words).toEqual(expect.arrayContaining(['cnn', 'Loss', '×', '0', '2', 'step']));
  expect(svg).toContain('stroke="#337"');
  expect(svg).toContain('stroke="#b00"');
});

it('names the lines where there are several, and takes names as text', () => {
  const lines = ['<b>a</b>', 'b\u0000'].map((label, tone) => ({
    label,
    data: data([1, 2, 3]),
    tone,
  }));
  const svg = curvesSvg('a & b', [{ title: 'Loss', lines, limits: [] }], steps, ink);
  expect(parsed(svg).querySelector('b')).toBeNull();
  expect(svg).toContain('a &amp; b');
  expect(svg).toContain('&lt;b&gt;a&lt;/b&gt;');
  expect(svg).not.toContain('\u0000');
});
