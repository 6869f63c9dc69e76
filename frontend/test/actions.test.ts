import { beforeEach, describe, expect, it } from 'vitest';
import { type Actions, createActions } from '../src/actions';
import { type Api, ApiError } from '../src/api';
import { type AppState, initialState } from '../src/state';
import { createStore, type Store } from '../src/store';
import { readHash } from '../src/url_state';
import type { RunDetail, RunSummary } from '../src/wire';
import { detail, finding, series, summary } from './builders';

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
    return { version: '1', runs: [...this.details.values()].map(summaryOf) };
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

  async series(run: string, signal: string, fields: readonly string[]) {
    this.asked.push(`series ${signal} ${fields.join()}`);
    return series([[1], [2]], [9], { run, signal, fields: [...fields] });
  }
}

function summaryOf({ run, last_step, kept, written, verdict, headline }: RunDetail): RunSummary {
  return summary({ run, last_step, kept, written, verdict, headline });
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
    expect(Object.keys(store.get().series).sort()).toEqual(['dead_fraction', 'loss']);
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
    actions.zoom([2, 5]);
    actions.chooseLayer('dense');
    api.asked = [];
    api.details.set('sick', { ...sick, last_step: 19, kept: 20 });
    await actions.refresh();
    expect(api.asked[1]).toBe('run sick');
    expect(api.asked).toHaveLength(4);
    expect(store.get()).toMatchObject({ layer: 'dense', finding: 'dead_units', range: [2, 5] });
    expect(store.get().detail?.last_step).toBe(19);
  });

  it('does not open what the user has closed', async () => {
    await actions.refresh();
    await actions.chooseFinding('dead_units');
    expect(store.get().finding).toBeNull();
    api.details.set('sick', { ...sick, last_step: 19 });
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
    actions.zoom([1, 2]);
    await actions.chooseRun('fine');
    expect(store.get()).toMatchObject({
      range: null,
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
