// @vitest-environment happy-dom
import { render } from 'preact';
import { afterEach, describe, expect, it } from 'vitest';
import { type Actions, createActions } from '../src/actions';
import type { Api } from '../src/api';
import { blockKey } from '../src/blocks';
import { type AppState, type Cursor, initialState } from '../src/state';
import { createStore } from '../src/store';
import { readHash } from '../src/url_state';
import { App } from '../src/views/app';
import { AppContext } from '../src/views/context';
import { withLimit } from '../src/views/limit_form';
import { NOT_MEASURED, type RunDetail } from '../src/wire';
import { detail, finding, series, signal, summary } from './builders';

const HOSTILE = '<img src=x onerror=alert(1)>/`NaN`/"><script>alert(2)</script>';

/** The whole page with `state`; there is no server behind it. */
function show(state: Partial<AppState>): { page: HTMLElement; actions: Actions } {
  const store = createStore<AppState>({ ...initialState(readHash('')), ...state });
  const cursor = createStore<Cursor>({ column: null, row: null });
  const actions = createActions(store, {} as Api, () => new Date(0));
  const page = document.body.appendChild(document.createElement('div'));
  render(
    <AppContext.Provider value={{ store, cursor, actions }}>
      <App />
    </AppContext.Provider>,
    page,
  );
  return { page, actions };
}

function showRun(run: RunDetail, state: Partial<AppState> = {}) {
  const runs = [summary({ run: run.run, verdict: run.verdict })];
  return show({ runs, run: run.run, detail: run, ...state });
}

const find = (page: HTMLElement, id: string) => page.querySelector(`[data-testid="${id}"]`);
const settle = () => new Promise((resolve) => setTimeout(resolve));

afterEach(() => {
  for (const page of [...document.body.children]) {
    render(null, page);
    page.remove();
  }
});

describe('states of the page', () => {
  it('tells a newcomer how to begin', () => {
    const { page } = show({ runs: [] });
    expect(find(page, 'empty')?.textContent).toContain('gradhealth.HealthCallback("logs/run1")');
    expect(find(page, 'empty')?.textContent).toContain('tensorboard --logdir logs');
  });

  it('names the run that is missing and those that are there', () => {
    const { page } = show({ runs: [summary({ run: 'here' })], run: 'gone' });
    const text = find(page, 'unknown-run')?.textContent;
    expect(text).toContain('There is no run gone here');
    expect(text).toContain('Show here');
  });

  it('says why a run cannot be read', () => {
    const runs = [summary({ verdict: 'unreadable', reason: 'Rows are not JSON.' })];
    const { page } = show({ runs, run: 'cnn' });
    expect(find(page, 'verdict')?.textContent).toContain('Rows are not JSON.');
  });

  it('keeps what was loaded while the server is gone', () => {
    const problem = { status: 0, reason: 'Failed to fetch' };
    const { page } = showRun(detail(), { problem, updated: new Date(0) });
    expect(find(page, 'error')?.textContent).toContain('Failed to fetch');
    expect(find(page, 'verdict')?.querySelector('h2')?.textContent).toBe('Healthy');
  });
});

describe('a healthy run', () => {
  it('says what was checked, and what was not and why', () => {
    const rules = [
      { rule: 'dead_units', code: 'GH401', state: 'clean' as const, reason: '' },
      {
        rule: 'overfitting',
        code: 'GH606',
        state: 'not evaluated' as const,
        reason: 'needs `validation_data`',
      },
    ];
    const { page } = showRun(detail({ rules }));
    expect(page.textContent).toContain('1 rule watched');
    expect(find(page, 'rules')?.textContent).toContain('0 flagged, 1 clean, 1 not evaluated');
    expect(find(page, 'rules')?.textContent).toContain('needs validation_data');
  });

  it('says how many points a sampling server left', () => {
    const notes = ['Showing 10 of 3000 points.'];
    const { page } = showRun(detail({ kept: 10, written: 3000, notes }));
    expect(page.textContent).toContain('showing 10 of 3,000 points');
    expect(find(page, 'notes')?.textContent).toBe('Showing 10 of 3000 points.');
  });
});

describe('findings', () => {
  const root = finding({
    rule: 'learning_rate_too_high',
    severity: 'error',
    title: 'Learning rate is too high for `dense/kernel`',
    evidence: [
      { label: 'loss', value: Number.NaN, limit: 0.5, unit: '', signal: '', step: 4, row: 'a' },
    ],
    causes: [{ text: 'No warm-up', confidence: 'likely', support: 'Seen at step 0.' }],
    fixes: [{ text: 'Lower it.', code: 'SGD(0.01)' }],
    references: ['Smith 2017, https://arxiv.org/abs/1506.01186', 'javascript:alert(1)'],
  });
  const consequence = finding({ caused_by: 'learning_rate_too_high' });
  const run = detail({
    verdict: 'error',
    headline: root.title,
    findings: [root, consequence],
  });

  it('say what is wrong in words, with names as code', () => {
    const { page } = showRun(run);
    const verdict = find(page, 'verdict')?.querySelector('h2');
    expect(verdict?.textContent).toBe('Ill: Learning rate is too high for dense/kernel');
    expect(verdict?.querySelector('code')?.textContent).toBe('dense/kernel');
  });

  it('open into evidence, causes and fixes', () => {
    const { page } = showRun(run, { finding: root.id });
    const card = find(page, 'finding') as HTMLElement;
    expect(card.dataset).toMatchObject({ rule: 'learning_rate_too_high', severity: 'error' });
    expect(card.querySelector('td.non-finite')?.textContent).toBe('NaN');
    for (const text of ['since step 4, still open', 'likely', 'No warm-up', 'SGD(0.01)']) {
      expect(card.textContent).toContain(text);
    }
  });

  it('make links of web addresses only', () => {
    const links = [...showRun(run, { finding: root.id }).page.querySelectorAll('a')];
    expect(links.map((link) => link.href)).toEqual(['https://arxiv.org/abs/1506.01186']);
  });

  it('fold consequences away until one is chosen', async () => {
    const { page, actions } = showRun(run);
    const folded = page.querySelector('details.consequences') as HTMLDetailsElement;
    expect(folded.textContent).toContain('Explains 1 other finding');
    expect(folded.open).toBe(false);
    await actions.chooseFinding(consequence.id);
    await settle();
    await settle();
    expect(folded.open).toBe(true);
  });
});

it('shows hostile names as the text they are', () => {
  const rows = [{ name: HOSTILE, layer: HOSTILE, role: HOSTILE, size: 1, function: HOSTILE }];
  const run = detail({
    run: HOSTILE,
    verdict: 'error',
    headline: HOSTILE,
    rows: { variable: rows },
    facts: { [HOSTILE]: HOSTILE },
    notes: [HOSTILE],
    findings: [
      finding({ title: HOSTILE, layers: [HOSTILE], fixes: [{ text: HOSTILE, code: HOSTILE }] }),
    ],
  });
  const blocks = { [blockKey(HOSTILE, 'gradient_norm')]: series([[1]], [9], { run: HOSTILE }) };
  const { page } = showRun(run, { finding: 'dead_units', blocks, table: true });
  expect(page.querySelectorAll('img, script')).toHaveLength(0);
  expect(page.querySelector('.table-view th[scope=row]')?.textContent).toBe(HOSTILE);
  expect(page.querySelector('[data-testid=run-item] .run-name')?.textContent).toBe(HOSTILE);
});

describe('limits to try', () => {
  const sheet = {
    rule: 'dead_units',
    code: 'GH401',
    group: 'activation',
    summary: '',
    limits: { warning: 0.5, error: 0.9 },
    requires: [],
    url: '',
  };

  it('are only those that were changed', () => {
    const one = withLimit({}, sheet, 'warning', 0.3);
    const both = withLimit(one, sheet, 'error', 0.8);
    expect(both).toEqual({ dead_units: { warning: 0.3, error: 0.8 } });
    expect(withLimit(both, sheet, 'error', 0.9)).toEqual(one);
    expect(withLimit(one, sheet, 'warning', 0.5)).toEqual({});
  });

  it('are set apart from what ran live', () => {
    const rules = [{ rule: 'dead_units', code: 'GH401', state: 'clean' as const, reason: '' }];
    const replay = {
      run: 'cnn',
      limits: { dead_units: { warning: 0.3 } },
      findings: [finding()],
      rules: [{ rule: 'dead_units', code: 'GH401', state: 'firing' as const, reason: '' }],
    };
    const { page } = showRun(detail({ rules }), {
      view: 'rules',
      sheets: [sheet],
      limits: replay.limits,
      replay,
    });
    expect(find(page, 'trial')?.textContent).toContain('A trial, not what ran live');
    expect(find(page, 'trial')?.textContent).toContain('New: Dead units');
    expect(find(page, 'tried-state')?.textContent).toContain('firing');
    expect(find(page, 'reset-limits')).not.toBeNull();
  });
});

it('explains the colours of the bars along the network', () => {
  const keyOf = (signals: RunDetail['signals'], state: Partial<AppState> = {}) =>
    find(showRun(detail({ signals }), { view: 'flow', ...state }).page, 'flow-key')?.textContent;
  const norm = signal({ healthy: [1e-6, 1] });
  const nan = series([[Number.NaN], [1]], [9]);
  const keys = [blockKey('cnn', norm.name), blockKey('cnn', norm.name, { points: 300 })];
  expect(keyOf([norm])).toContain('outside of what is usual');
  expect(keyOf([norm])).not.toContain('not finite');
  expect(keyOf([signal()])).not.toContain('outside of what is usual');
  const blocks = Object.fromEntries(keys.map((key) => [key, nan]));
  expect(keyOf([norm], { blocks })).toContain('not finite');
});

it.each([
  ['', 'Not measured in these steps'],
  ['the loss has no `gradient`', 'Not measured: the loss has no gradient'],
])('says why a curve is empty: %s', (not_measured, said) => {
  const norm = signal({ not_measured });
  const rows = [0];
  const layer = { view: 'layer', layer: 'dense' } as const;
  const blocks = { [blockKey('cnn', norm.name, { rows })]: series([[NOT_MEASURED]], [9]) };
  const { page } = showRun(detail({ signals: [norm] }), { ...layer, blocks });
  expect(find(page, 'no-curve')?.textContent).toBe(said);
});

it('compares findings and settings of the runs that were picked', () => {
  const { page } = showRun(detail({ facts: { batch_size: 8 } }), {
    view: 'compare',
    compare: 'other',
    others: { other: detail({ run: 'other', facts: { batch_size: 64 } }) },
  });
  expect(find(page, 'other-verdicts')?.textContent).toContain('other');
  expect(find(page, 'compare')?.textContent).toContain('batch size864');
});
