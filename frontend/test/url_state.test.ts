import { expect, it } from 'vitest';
import { isOurTab, NOTHING_CHOSEN, readHash, writeHash } from '../src/url_state';

const nothing = NOTHING_CHOSEN;

it('reads our keys and no others', () => {
  const hash = '#gradhealth&p.gradhealth.run=a%2Fb&p.other.run=x&tagFilter=y&p.gradhealth.new=1';
  expect(readHash(hash)).toEqual({ ...nothing, run: 'a/b' });
  expect(readHash('')).toEqual(nothing);
});

it('survives what is not a valid encoding', () => {
  expect(readHash('#gradhealth&p.gradhealth.run=100%').run).toBe('100%');
});

it('gives back what it wrote, for names with any character', () => {
  const state = {
    ...nothing,
    run: 'a&b=c#d/é',
    layer: '<img>',
    finding: 'dead_units#2',
    compare: 'x\ny',
  };
  expect(readHash(writeHash('', state))).toEqual(state);
});

it('keeps the tab and the keys of other plugins', () => {
  const hash = writeHash('#timeseries&p.other.x=1&p.gradhealth.run=old', {
    ...nothing,
    run: 'new',
  });
  expect(hash).toBe('#timeseries&p.other.x=1&p.gradhealth.run=new');
});

it('names our tab where none was named', () => {
  expect(writeHash('', { ...nothing, run: 'a' })).toBe('#gradhealth&p.gradhealth.run=a');
});

it('knows whether our tab is shown', () => {
  expect(isOurTab('#gradhealth&x=1')).toBe(true);
  expect(isOurTab('#timeseries&p.gradhealth.run=a')).toBe(false);
});
