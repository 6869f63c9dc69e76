import { beforeEach, describe, expect, it } from 'vitest';
import { type Actions, createActions } from '../src/actions';
import { type Api, ApiError, type Part } from '../src/api';
import { type AppState, initialState } from '../src/state';
import { createStore, type Store } from '../src/store';
import { readHash } from '../src/url_state';
import type { Limits, RunDetail } from '../src/wire';
import { detail, finding, series, signal } from './builders';

/** A server whose runs can be changed, and which keeps a list of what it was asked. */
class FakeApi implements Api {
  asked: string[] = [];
  failure: ApiError | null = null;
  details = new Map<string, RunDetail>();
  /** Answers for this run wait until the test releases them. */
  held: { run: string; release: () => void } | null = null;

  constructor(...details: RunDetail[]) {
    for (const item of details) this.details.set(item.run, item);
  }

  async runs() {
    this.asked.push('runs');
    if (this.failure) throw this.failure;
    return { version: '1', runs: [...this.details.values()] };
  }

  async run(run: string) {
    this.asked.push(`run ${run}`);
    const found = this.details.get(run) as RunDetail;
    if (this.held?.run === run) {
      const held = this.held;
      await new Promise<void>((release) => {
        held.release = release;
      });
    }
    return found;
  }

  async series(run: string, signal: string, { fields, rows }: Part) {
    this.asked.push(`series ${signal} ${fields.join()}${rows ? ` of ${rows.join()}` : ''}`);
    return series([[1], [2]], [9], { run, signal, fields: [...fields] });
  }

  async flight(run: string, id: string, signal: string) {
    this.asked.push(`flight ${id} ${signal}`);
    return series([[1], [2]], [9], { run, signal, fields: ['value'] });
  }

  async rules() {
    this.asked.push('rules');
    return [];
  }

  async replay(run: string, limits: Limits) {
    this.asked.push(`replay ${JSON.stringify(limits)}`);
    if (this.failure) throw this.failure;
    return { run, limits, findings: [], rules: [] };
  }
}

const sick = detail({
  run: 'sick',
  verdict: 'error',
  findings: [
    finding({
      severity: 'error',
      evidence: [
        {
          label: '',
          value: 1,
          limit: null,
          unit: '',
          signal: 'dead_fraction',
          step: 4,
          row: 'dense',
        },
      ],
    }),
  ],
});

let api: FakeApi;
let store: Store<AppState>;
let actions: Actions;

function start(hash = '', ...details: RunDetail[]): void {
  api = new FakeApi(...details);
  store = createStore(initialState(readHash(hash)));
  actions = createActions(store, api, () => new Date(0));
}

beforeEach(() => start('', detail({ run: 'fine' }), sick));

describe('the first load', () => {
  it('shows the sickest run, its root cause and the signal that proves it', async () => {
    await actions.refresh();
    expect(store.get()).toMatchObject({
      run: 'sick',
      finding: 'dead_units',
      signal: 'dead_fraction',
      problem: null,
    });
    // The map comes first: it is what people look at.
    expect(api.asked.slice(2)).toEqual([
      'series dead_fraction mean,min,max',
      'series dead_fraction mean,min,max of 0',
      'series loss mean,min,max',
    ]);
    expect(Object.keys(store.get().blocks)).toHaveLength(3);
  });

  it('follows the address', async () => {
    const key = (name: string, value: string) => `&p.gradhealth.${name}=${value}`;
    start(`#gradhealth${key('run', 'sick')}${key('signal', 'gradient_norm')}`, detail(), sick);
    await actions.refresh();
    expect(store.get()).toMatchObject({ run: 'sick', signal: 'gradient_norm' });
  });

  it('keeps a run that is not there, so that the page can say so', async () => {
    start('#gradhealth&p.gradhealth.run=gone', sick);
    await actions.refresh();
    expect(store.get()).toMatchObject({ run: 'gone', detail: null });
    expect(api.asked).toEqual(['runs']);
  });
});

describe('refresh', () => {
  it('asks only for the list while there is no news', async () => {
    await actions.refresh();
    api.asked = [];
    await actions.refresh();
    expect(api.asked).toEqual(['runs']);
  });

  it('reloads details and signals when there are new steps, and keeps what is chosen', async () => {
    await actions.refresh();
    await actions.zoom([2, 5]);
    api.asked = [];
    api.details.set('sick', { ...sick, state: '2', last_step: 19, kept: 20 });
    await actions.refresh();
    expect(api.asked[1]).toBe('run sick');
    expect(api.asked).toHaveLength(5);
    expect(store.get()).toMatchObject({ layer: 'dense', finding: 'dead_units', steps: '2-5' });
    expect(store.get().detail?.last_step).toBe(19);
  });

  it('reloads what was added to the record that was the last one', async () => {
    await actions.refresh();
    api.asked = [];
    const late = signal({ name: 'validation_loss', axis: 'run', kept: 1 });
    api.details.set('sick', { ...sick, state: '2', signals: [...sick.signals, late] });
    await actions.refresh();
    expect(api.asked).toContain('run sick');
    expect(api.asked).toContain('series loss mean,min,max');
    expect(api.asked).toContain('series validation_loss mean,min,max');
  });

  it('does not open what the user has closed', async () => {
    await actions.refresh();
    await actions.chooseFinding('dead_units');
    expect(store.get().finding).toBeNull();
    api.details.set('sick', { ...sick, state: '2', last_step: 19 });
    await actions.refresh();
    expect(store.get().finding).toBeNull();
  });

  it('keeps what was shown when the server is gone, and recovers', async () => {
    await actions.refresh();
    api.failure = new ApiError(0, 'runs', 'Failed to fetch');
    await actions.refresh();
    expect(store.get().problem).toEqual({ status: 0, reason: 'Failed to fetch' });
    expect(store.get().detail?.run).toBe('sick');
    api.failure = null;
    await actions.refresh();
    expect(store.get().problem).toBeNull();
  });

  it('is not started twice at a time', async () => {
    await Promise.all([actions.refresh(), actions.refresh()]);
    expect(api.asked.filter((route) => route === 'runs')).toHaveLength(1);
  });
});

describe('choosing a run', () => {
  it('drops an answer for a run that was left meanwhile', async () => {
    await actions.refresh();
    api.held = { run: 'fine', release: () => {} };
    const slow = actions.chooseRun('fine');
    await actions.chooseRun('sick');
    api.held.release();
    await slow;
    expect(store.get().run).toBe('sick');
    expect(store.get().detail?.run).toBe('sick');
  });

  it('forgets zoom, row and finding of the run before', async () => {
    await actions.refresh();
    await actions.zoom([1, 2]);
    await actions.chooseRun('fine');
    expect(store.get()).toMatchObject({
      steps: null,
      layer: null,
      finding: null,
      signal: 'gradient_norm',
    });
  });
});

it('turns the map to the signal of a chosen finding', async () => {
  await actions.refresh();
  await actions.chooseSignal('gradient_norm');
  store.set({ finding: null });
  await actions.chooseFinding('dead_units');
  expect(store.get().signal).toBe('dead_fraction');
});

it('loads only the first field of a signal that is very large', async () => {
  const large = detail({ signals: detail().signals.map((spec) => ({ ...spec, kept: 200_000 })) });
  start('', large);
  await actions.refresh();
  expect(api.asked).toContain('series gradient_norm mean');
});

it('takes over an address that changes, unless it names no run', async () => {
  await actions.refresh();
  await actions.follow(readHash('#gradhealth&p.gradhealth.run=fine'));
  expect(store.get().detail?.run).toBe('fine');
  await actions.follow(readHash('#gradhealth'));
  expect(store.get().run).toBe('fine');
});

describe('views', () => {
  const flown = {
    ...sick,
    flights: [
      { findings: ['dead_units'], first_step: 0, last_step: 9, signals: ['dead_fraction'] },
    ],
  };

  it('of a layer load its rows of every signal, and no others', async () => {
    await actions.refresh();
    api.asked = [];
    await actions.openLayer('dense/kernel');
    expect(store.get()).toMatchObject({ view: 'layer', layer: 'dense/kernel' });
    expect(api.asked).toEqual(['series gradient_norm mean,min,max of 0']);
  });

  it('of a layer show the single steps before a finding', async () => {
    start('', flown);
    await actions.refresh();
    await actions.openLayer('dense');
    api.asked = [];
    await actions.chooseFlight('dead_units');
    expect(api.asked).toEqual(['flight dead_units dead_fraction']);
    await actions.openLayer('logits');
    expect(store.get().flight).toBeNull();
  });

  it('of several runs load their curves, and forget them again', async () => {
    await actions.refresh();
    await actions.pickRun('fine');
    expect(store.get()).toMatchObject({ compare: 'fine' });
    expect(Object.keys(store.get().others)).toEqual(['fine']);
    const runs = () => new Set(Object.values(store.get().blocks).map(({ run }) => run));
    expect(runs()).toEqual(new Set(['sick', 'fine']));
    await actions.pickRun('fine');
    await actions.chooseRun('fine');
    expect(runs()).toEqual(new Set(['fine']));
  });

  it('of the rules ask for them once', async () => {
    await actions.refresh();
    await actions.chooseView('rules');
    await actions.chooseView('rules');
    expect(api.asked.filter((route) => route === 'rules')).toHaveLength(1);
  });
});

describe('other limits', () => {
  const limits = { dead_units: { warning: 0.3 } };

  it('are tried on the server, and forgotten', async () => {
    await actions.refresh();
    await actions.tryLimits(limits);
    expect(api.asked).toContain('replay {"dead_units":{"warning":0.3}}');
    expect(store.get().replay).toMatchObject({ run: 'sick', limits });
    await actions.tryLimits({});
    expect(store.get().replay).toBeNull();
  });

  it('that the server refuses leave its sentence', async () => {
    await actions.refresh();
    api.failure = new ApiError(400, 'replay', 'There is no such limit.');
    await actions.tryLimits(limits);
    expect(store.get().replayProblem?.reason).toBe('There is no such limit.');
  });

  it('belong to the run that they were tried on', async () => {
    await actions.refresh();
    await actions.tryLimits(limits);
    await actions.chooseRun('fine');
    expect(store.get()).toMatchObject({ limits: {}, replay: null });
  });
});

it('shows a finding that a zoom has put out of view', async () => {
  await actions.refresh();
  store.set({ finding: null });
  await actions.zoom([0, 2]);
  await actions.chooseFinding('dead_units');
  expect(store.get()).toMatchObject({ steps: null, layer: 'dense', view: null });
});

it('leaves the newest steps for a finding that is over', async () => {
  const over = finding({ rule: 'loss_spike', open: false });
  start('', detail({ findings: [finding(), over] }));
  await actions.refresh();
  await actions.zoomToRecent();
  store.set({ finding: null });
  await actions.chooseFinding('dead_units');
  expect(store.get().steps).toBe('recent');
  await actions.chooseFinding('loss_spike');
  expect(store.get().steps).toBeNull();
});

it('opens the rules at one of them', async () => {
  await actions.refresh();
  await actions.showRule('dead_units');
  expect(store.get()).toMatchObject({ view: 'rules', ruleShown: 'dead_units' });
});

it('asks the server for a closer look where it joins points', async () => {
  const long = detail({ signals: detail().signals.map((spec) => ({ ...spec, kept: 4_000 })) });
  start('', long);
  await actions.refresh();
  const before = api.asked.length;
  await actions.zoom([2, 5]);
  expect(api.asked.length).toBeGreaterThan(before);
});
