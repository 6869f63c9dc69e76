import { describe, expect, it } from 'vitest';
import {
  layerOf,
  layerRows,
  layersOf,
  picked,
  rangeOf,
  rangeWithin,
  togglePicked,
  viewOf,
} from '../src/choices';
import { detail, timeline } from './builders';

describe('what an address asks for', () => {
  it.each([
    ['12-400', [12, 400]],
    ['7-7', [7, 7]],
    ['1000000000000-1000000000001', [1e12, 1e12 + 1]],
    ['9-3', null],
    ['x', null],
    [null, null],
  ])('steps %s', (steps, range) => {
    expect(rangeOf(steps)).toEqual(range);
  });

  it('may be the newest points, wherever they are', () => {
    const steps = Array.from({ length: 250 }, (_, index) => 2 * index);
    expect(rangeWithin('recent', timeline(steps))).toEqual([300, 498]);
    expect(rangeWithin('recent', timeline([1, 2]))).toBeNull();
    expect(rangeWithin('4-8', timeline(steps))).toEqual([4, 8]);
  });

  it('is the map where the view is unknown', () => {
    expect(viewOf({ view: 'nope' })).toBe('map');
    expect(viewOf({ view: 'flow' })).toBe('flow');
  });

  it('may be several runs', () => {
    const two = togglePicked('a,b', 'c');
    expect(picked(two)).toEqual(['a,b', 'c']);
    expect(togglePicked(togglePicked(two, 'c'), 'a,b')).toBeNull();
  });
});

describe('a layer', () => {
  it('is named by itself or by any of its rows', () => {
    expect(layerOf(detail(), 'dense/kernel')).toBe('dense');
    expect(layerOf(detail(), 'dense')).toBe('dense');
    expect(layerOf(detail(), 'gone')).toBeNull();
  });

  it('has rows of several signals', () => {
    const found = layerRows(detail(), 'dense').map(({ signal, rows }) => [signal.name, rows]);
    expect(found).toEqual([
      ['gradient_norm', [0]],
      ['dead_fraction', [0]],
    ]);
  });

  it('has its place in the network', () => {
    expect(layersOf(detail())).toEqual(['dense', 'logits']);
  });

  it.each([
    ['conv bn conv2 bn2', 'relu relu2', 'conv bn relu conv2 bn2 relu2'],
    ['dense logits', 'scale dense softmax', 'scale dense logits softmax'],
    ['dense logits', 'dense relu logits', 'dense relu logits'],
    ['', 'relu', 'relu'],
    ['embedding', '', 'embedding'],
  ])('with weights %s and activations %s', (weighty, active, all) => {
    const rowsOf = (names: string) => {
      const layers = names.split(' ').filter(Boolean);
      return layers.map((layer) => ({ name: layer, layer, role: '', size: 1, function: '' }));
    };
    const rows = { variable: rowsOf(weighty), activation: rowsOf(active) };
    expect(layersOf(detail({ rows })).join(' ')).toBe(all);
  });
});
